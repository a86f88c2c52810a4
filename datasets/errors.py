"""The base of all errors that are the user's to mend."""


class RecolorError(ValueError):
    """Something that the user gave can't be used. The message is one line: what, where, what to do.

    The command line prints it without a traceback.
    """
