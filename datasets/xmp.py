"""XMP packets: what programs tell each other about a picture, as RDF inside of its file.

recolor has one property of its own there, the recipe. All else in a packet stays byte by byte, so
it is not parsed as XML.
"""

import html
import re
from xml.sax.saxutils import escape

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OWN = "urn:poster-recolor:xmp/1.0/"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
).encode()
# As it is written here, and as other programs may have written it again.
ELEMENT = re.compile(rb"<recolor:Recipe>([^<]*)</recolor:Recipe>")
ATTRIBUTE = re.compile(rb"\srecolor:Recipe=\"([^\"]*)\"")
END = re.compile(rb"</(?:[\w.-]+:)?RDF\s*>")


def recipe_in(packet: bytes) -> str | None:
    """Return the recipe that a packet holds; None if it holds none."""
    found = ELEMENT.search(packet) or ATTRIBUTE.search(packet)
    return html.unescape(found[1].decode("utf-8", "replace")) if found else None


def with_recipe(packet: bytes | None, recipe: str) -> bytes:
    """Put a recipe into a packet, in the place of one that it has already.

    Args:
        packet: The packet of a file; None if it has none.
        recipe: A text without control characters.

    Returns:
        The new packet; the same one if it is not RDF in UTF-8.

    Example:
        >>> recipe_in(with_recipe(None, '{"strength": "<1"}'))
        '{"strength": "<1"}'
    """
    packet = packet or PACKET
    text = escape(recipe)
    for form, value in ((ELEMENT, text), (ATTRIBUTE, text.replace('"', "&quot;"))):
        if found := form.search(packet):
            return packet[: found.start(1)] + value.encode() + packet[found.end(1) :]
    if not (ends := list(END.finditer(packet))):
        return packet
    place = ends[-1].start()
    described = (
        f'<rdf:Description xmlns:rdf="{RDF}" xmlns:recolor="{OWN}" rdf:about="">'
        f"<recolor:Recipe>{text}</recolor:Recipe></rdf:Description>"
    ).encode()
    return packet[:place] + described + packet[place:]
