"""URLs as they are shown: without the passwords that people put into them."""

import re

# In a text, a URL ends at a blank, less what belongs to the sentence around it.
_URL = re.compile(r"(?:https?:/?|[A-Za-z][\w+.-]*://)\S+?(?=[\s'\"`)\]>,;:.]*(?:\s|$))")
_PREFIX = re.compile(r"[\w+.-]*:/*")
# These name a file, and no user.
_LOCAL = re.compile(r"(sqlite|file)\b.*:///")
_HIDDEN = "***"


def shown_url(url: str) -> str:
    """Word a URL without its user, password and query, all of which may hold secrets.

    What can't be told from a password is left out as well.

    Example:
        >>> shown_url("http://user:secret@server:5000/path?token=secret")
        'http://***@server:5000/path?***'
    """
    found = _PREFIX.match(url)
    prefix = found[0] if found else ""
    place, _, query = url.removeprefix(prefix).partition("?")
    more = f"?{_HIDDEN}" if query else ""
    if _LOCAL.fullmatch(prefix):
        return prefix + place + more
    if "@" in query:
        # The question mark may belong to a password, or a password may stand behind it.
        return prefix + _HIDDEN
    # A password may hold a slash, but a user's name does not: films@home may be a folder.
    _, at, host = place.rpartition("@")
    authority = place.partition("/")[0]
    if at and ("@" in authority or ":" in authority):
        place = f"{_HIDDEN}@{host}"
    return prefix + place + more


def without_passwords(text: str) -> str:
    """Return a text with its URLs worded by `shown_url`."""
    return _URL.sub(lambda found: shown_url(found[0]), text)
