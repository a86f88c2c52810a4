"""Why a poster could not be had, and whether it is worth another try."""


class CollectError(Exception):
    """A poster could not be had, and never will be.

    Args:
        reason: In a few words; what follows a colon is left out where reasons are counted.
    """

    final = True

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class LaterError(CollectError):
    """Another run may get the poster, perhaps with other options."""

    final = False


class PassingError(LaterError):
    """The next moment may be better already.

    Args:
        reason: In a few words.
        wait: Seconds that the server wants to be left alone; None if it has not said.
    """

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait
