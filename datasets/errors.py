"""The base of all errors that are the user's to mend, and what those of other libraries say."""

import re

# Python puts it before the words of the operating system.
ERROR_NUMBER = re.compile(r"\[Errno -?\d+\] ")


class RecolorError(ValueError):
    """Something that the user gave can't be used. The message is one line: what, where, what to do.

    The command line prints it without a traceback, and the names of options in it as they are
    typed: `batch_size` as ``--batch-size``.

    Args:
        message: One line for people.
        option: Name of the option to blame, where it is known.

    Example:
        >>> try:
        ...     Decoding(strength=2)
        ... except RecolorError as error:
        ...     print(error)
        strength must be a number from 0 to 1, not 2
    """

    option: str | None = None

    def __init__(self, message: str, option: str | None = None):
        super().__init__(message)
        self.option = option or self.option


def first_line(error: Exception) -> str:
    """Return the first line of another library's error, or its type where it says nothing.

    Example:
        >>> first_line(FileNotFoundError(2, "No such file or directory", "poster.jpg"))
        'No such file or directory: poster.jpg'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" if error.filename else "")
    return ERROR_NUMBER.sub("", (str(error).splitlines() or [type(error).__name__])[0])


def reason_of(error: Exception) -> str:
    """Return the first line of an error, for a message that names the file itself."""
    return getattr(error, "strerror", None) or first_line(error)


def first_mistake(error) -> str:
    """Return the first of a `pydantic.ValidationError`, as ``settings.size: Field required``."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


# What is said of a picture where `out_of_memory`.
TOO_LARGE = "too large for this machine's memory"


def out_of_memory(error: Exception) -> bool:
    """Tell whether memory was too small: each framework has errors of its own for that."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}) or (
        "RESOURCE_EXHAUSTED" in str(error)
    )
