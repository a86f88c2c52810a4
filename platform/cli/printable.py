"""Text that a terminal shows as it is."""


def printable(text: str) -> str:
    """Escape what is not to be seen: names of files may hold codes that move a terminal's cursor.

    Example:
        >>> printable("fête\\x1b[2J")
        'fête\\\\x1b[2J'
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
