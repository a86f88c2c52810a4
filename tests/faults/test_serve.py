"""Wrong requests to `recolor serve`: a clear answer to each, and the server serves on."""

import http.client
import io
import json
import socket

import pytest
from mutations import mutated_files
from PIL import Image
from served import Served

from faults.bad_requests import bad_recoloring, bad_request, right_request
from faults.tally import SEED, tally

pytestmark = pytest.mark.faults

# Of each kind.
REQUESTS = 700
MOST_MB = 100


def test_mutated_requests(forge, posters, tmp_path, request):
    file = io.BytesIO()
    with Image.open(posters[0]) as poster:
        poster.resize((40, 60)).save(file, "JPEG")
    picture = file.getvalue()
    files = mutated_files(int(SEED) if SEED.isdecimal() else 0, REQUESTS)
    with Served(forge, tmp_path, "--model", "classification") as server:
        right = server.ask("POST", "/recolor", picture)[2]
        with tally(request, "mutated requests to serve") as counted:
            for number in range(REQUESTS):
                if number == REQUESTS // 4:
                    early = server.memory()
                rng = counted.rng(number)
                kind, body = bad_request(rng, picture)
                with counted.one(f"request {number}, {kind}, {body[:60]!r}...{body[-60:]!r}"):
                    headers = {"Content_Type": kind} if kind else {}
                    check_answer(server, "/invocations", body, headers)
                path, body = bad_recoloring(rng, picture)
                with counted.one(f"request {number}, {path}, {body[:60]!r}"):
                    check_answer(server, path, body, {})
                name, body = next(files)
                with counted.one(f"request {number}, {name}"):
                    check_answer(server, "/recolor", body, {})
            for number in range(REQUESTS):
                head = mutated_head(counted.rng(number), picture)
                with counted.one(f"head {number}, {head[:200]!r}"):
                    check_head(server, head)
            with counted.one("the right request afterwards"):
                assert server.ask("POST", "/recolor", picture)[2] == right
                assert server.ask("POST", "/invocations", right_request(picture)[1],
                                  Content_Type="application/json")[0] == 200  # fmt: skip
            with counted.one("its memory"):
                late = server.memory()
                assert late - early < MOST_MB, f"from {early:.0f} to {late:.0f} MB"
            with counted.one("its log"):
                assert "Traceback" not in server.said, server.said[-3000:]


def check_answer(server: Served, path: str, body: bytes, headers: dict) -> None:
    """Check that an answer is a result, or says in one line what was wrong."""
    method = "GET" if path.startswith("/pictures/") else "POST"
    try:
        status, _, content = server.ask(method, path, body, **headers)
    except (OSError, http.client.HTTPException) as error:
        raise AssertionError(f"no answer: {error!r}") from None
    assert status < 500, f"{status}: {content[:600]}"
    if status >= 400:
        told = json.loads(content)
        message = told.get("error") or told.get("message")
        assert message and "\n" not in message and len(message) <= 300, told
        for code in ("Traceback", "stack_trace", 'File "', "site-packages"):
            assert code not in message, told


def mutated_head(rng, picture: bytes) -> bytes:
    """Make the bytes of a request in whose head something is wrong."""
    head = bytearray(
        b"POST /recolor?palette=auto HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + f"Content-Length: {len(picture)}\r\n\r\n".encode()
    )
    for _ in range(rng.choice((1, 3, 10))):
        head[rng.randrange(len(head))] = rng.choice(b'\r\n\0 :/?%\xff"AZ09')
    return bytes(head) + picture[: rng.choice((0, len(picture)))]


def check_head(server: Served, head: bytes) -> None:
    """Check that a server answers in HTTP, or hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(head)
        client.shutdown(socket.SHUT_WR)
        try:
            answer = client.recv(2000)
        except ConnectionError:
            return
        except TimeoutError:
            raise AssertionError("it waits") from None
    assert not answer or (answer.startswith(b"HTTP/1.1 ") and not answer[9:].startswith(b"500"))
    assert b"Traceback" not in answer
