"""What the server takes, and how much of it at once."""

import os
from dataclasses import dataclass

MEGABYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What the server takes, and how much of it at once.

    Attributes:
        body: Bytes of a request's body.
        pixels: Of a picture.
        threads: Pictures that are worked on at once.
        queue: Requests that wait beside these.
        seconds: That a request may take; a body has the same time to arrive, and an answer to be
            read.
        pictures: Of one request for predictions.
        memory: Bytes of the pictures that are kept to be edited, and of what the network says of
            them.
    """

    body: int = 64 * MEGABYTE
    pixels: int = 50_000_000
    threads: int = os.cpu_count() or 1
    queue: int = 32
    seconds: float = 60
    pictures: int = 64
    memory: int = 512 * MEGABYTE
