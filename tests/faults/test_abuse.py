"""Clients that ask for too much, too slowly, or go away: the others are answered all the while."""

import base64
import io
import json
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest
from PIL import Image
from served import Served

from faults.tally import tally

pytestmark = pytest.mark.faults

ROUNDS = 20
# Another client's picture of 40x60 pixels, on a machine that is busy with the tests of another.
PATIENCE = 30
SECONDS_TO_END = 30
MOST_MB = 300


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


PICTURE = encoded(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)).resize(
        (40, 60), Image.Resampling.BICUBIC
    ),
    "JPEG",
)


def head(path: str, length: int, kind: str = "image/jpeg") -> bytes:
    text = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    return f"{text}Content-Length: {length}\r\n\r\n".encode()


def connected(port: int, data: bytes, stack: ExitStack) -> socket.socket:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
    # The server may hang up before all has come.
    with suppress(ConnectionError, TimeoutError):
        client.sendall(data)
    return client


def many_pictures(rng: random.Random, port: int, stack: ExitStack) -> None:
    """Thousands of one pixel, by a client that goes away after a moment."""
    one = base64.b64encode(encoded(Image.new("RGB", (1, 1)), "PNG")).decode()
    body = json.dumps({"inputs": [one] * rng.randint(1000, 3000)}).encode()
    for _ in range(2):
        connected(port, head("/invocations", len(body), "application/json") + body, stack)
    time.sleep(rng.random())


def slow_bodies(rng: random.Random, port: int, stack: ExitStack) -> None:
    """Dozens of requests that never come whole."""
    for _ in range(rng.randint(20, 60)):
        connected(port, head("/recolor", 10_000) + PICTURE[: rng.randint(0, 100)], stack)


def slow_heads(rng: random.Random, port: int, stack: ExitStack) -> None:
    """Dozens of requests that have hardly begun."""
    for _ in range(rng.randint(20, 60)):
        connected(port, head("/recolor", 10_000)[: rng.randint(0, 40)], stack)


def unread_answers(rng: random.Random, port: int, stack: ExitStack) -> None:
    """Answers that nobody reads."""
    large = encoded(Image.effect_noise((600, 800), 100).convert("RGB"), "PNG")
    for _ in range(rng.randint(3, 6)):
        connected(port, head("/recolor", len(large), "image/png") + large, stack)


def a_large_text(rng: random.Random, port: int, stack: ExitStack) -> None:
    """Megabytes of JSON."""
    body = b"[" * rng.randint(1, 3_000_000) + b"1," * 1_000_000
    connected(port, head("/invocations", len(body), "application/json") + body, stack)


def a_thin_picture(rng: random.Random, port: int, stack: ExitStack) -> None:
    """A picture of one row or column, of millions of pixels."""
    long = rng.randint(1_000_000, 20_000_000)
    picture = Image.new("L", rng.choice([(long, 1), (1, long)]))
    # Pillow writes none that are as wide, but as many columns as rows.
    data = encoded(picture, "TIFF", compression="tiff_deflate")
    connected(port, head("/pictures", len(data), "image/tiff") + data, stack)


def long_metadata(rng: random.Random, port: int, stack: ExitStack) -> None:
    """Small pictures with megabytes beside their pixels, to be kept."""
    data = encoded(Image.new("RGB", (40, 60), "red"), "PNG", exif=bytes(rng.randint(1, 20) << 20))
    for _ in range(3):
        connected(port, head("/pictures", len(data), "image/png") + data, stack)


KINDS = (many_pictures, slow_bodies, slow_heads, unread_answers, a_large_text, a_thin_picture,
         long_metadata)  # fmt: skip


@contextmanager
def abused(kind, rng: random.Random, port: int) -> Iterator[None]:
    with ExitStack() as stack:
        kind(rng, port, stack)
        yield


def test_others_are_answered_all_the_while(forge, tmp_path, request):
    with (
        tally(request, "abuse of serve") as counted,
        Served(forge, tmp_path, "--model", "classification") as server,
    ):
        right = server.ask("POST", "/recolor", PICTURE)[2]
        for number in range(ROUNDS):
            rng = counted.rng(number)
            kind = KINDS[number % len(KINDS)]
            with counted.one(f"{number}: {kind.__name__}"), abused(kind, rng, server.port):
                begun = time.monotonic()
                status, _, found = server.ask("POST", "/recolor", PICTURE)
                assert status == 200, (status, found[:300])
                assert found == right
                seconds = time.monotonic() - begun
                assert seconds < PATIENCE, f"answered after {seconds:.0f} s"
            if number == len(KINDS) - 1:
                early = server.memory()
        with counted.one("its memory"):
            late = server.memory()
            assert late - early < MOST_MB, f"from {early:.0f} to {late:.0f} MB"
        with (
            counted.one("its end, while it is abused"),
            abused(many_pictures, counted.rng(ROUNDS), server.port),
        ):
            begun = time.monotonic()
            assert server.end(signal.SIGTERM) == 0, server.said[-2000:]
            seconds = time.monotonic() - begun
            assert seconds < SECONDS_TO_END, f"ended after {seconds:.0f} s"
        with counted.one("its log"):
            assert "Traceback" not in server.said, server.said[-3000:]
