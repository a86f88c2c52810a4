"""What is wrong with data that does not fit a pydantic schema."""

from pydantic import ValidationError


def first_mistake(found: ValidationError) -> str:
    """Say where the first mistake is and what it is, as ``settings.size: Field required``."""
    first = found.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
