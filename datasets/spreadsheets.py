"""Tables that people open in a spreadsheet."""

# What spreadsheets take for a formula, if a cell begins with it.
FORMULA = ("=", "+", "-", "@")


def as_text(cell: str | int | None) -> str | int | None:
    """Put an apostrophe before a cell that spreadsheets would run.

    Example:
        >>> as_text("=1+1"), as_text("poster.jpg")
        ("'=1+1", 'poster.jpg')
    """
    return f"'{cell}" if str(cell).startswith(FORMULA) else cell
