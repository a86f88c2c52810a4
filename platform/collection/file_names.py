"""Names of files for posters: good on any system."""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterator

# With room for a suffix, and for a digest where two are the same.
LONGEST = 100
# Windows opens devices by these names, whatever the suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def stems(its_id: str, address: str) -> Iterator[str]:
    """Make names for a poster's file, less the suffix: the best first, others if it is taken.

    They are of its id, or of its address if it has none. What some system does not take in names,
    or takes for something else, becomes an underscore.
    """
    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", its_id))
    # Hidden files begin with a point, and options with a hyphen.
    name = re.sub(r"^[.-]+|\.+$", "_", name)
    name = name.encode()[:LONGEST].decode(errors="ignore")
    if not name.strip("_."):
        name = digest
    elif RESERVED.fullmatch(name):
        name = f"_{name}"
    yield name
    yield f"{name}-{digest}"
    yield from (f"{name}-{digest}-{number}" for number in itertools.count(2))
