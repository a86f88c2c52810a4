"""An HTTP server for posters that does all that servers do, on purpose."""

import gzip
import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

HTML = b"<!doctype html><title>Not found</title><p>There is no such poster." * 20


def image(kind: str = "JPEG", size: tuple[int, int] = (40, 60), seed: int = 0) -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def blank() -> bytes:
    """A gray placeholder."""
    file = io.BytesIO()
    Image.new("RGB", (200, 300), (230, 230, 230)).save(file, "JPEG")
    return file.getvalue()


POSTER = image()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        """Say nothing."""

    def do_GET(self):
        kind, _, rest = self.path.strip("/").partition("/")
        with self.server.lock:
            self.server.asked[self.path] += 1
            self.server.times.append((self.path, time.monotonic()))
            count = self.server.asked[self.path]
        getattr(self, f"_{kind.replace('-', '_')}")(rest, count)

    def _answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _ok(self, rest, count):
        time.sleep(self.server.seconds)
        number = int(rest) if rest.isdigit() else 0
        self._answer(body=image(seed=number) if number else POSTER, Content_Type="image/jpeg")

    def _format(self, rest, count):
        self._answer(body=image(rest), Content_Type="image/jpeg")

    def _status(self, rest, count):
        self._answer(int(rest), HTML, Content_Type="text/html")

    def _busy(self, rest, count):
        """Once too many requests; `rest` seconds are to be waited."""
        if count > 1:
            return self._ok("", count)
        return self._answer(429, Retry_After=rest)

    def _broken_once(self, rest, count):
        return self._ok("", count) if count > 1 else self._answer(500)

    def _stalled(self, rest, count):
        """Half of a poster, and then nothing."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(POSTER)))
        self.end_headers()
        self.wfile.write(POSTER[: len(POSTER) // 2])
        self.wfile.flush()
        self.server.over.wait()
        self.close_connection = True

    def _dripping(self, rest, count):
        """A byte now and then, which no wait for the next one can end."""
        self.send_response(200)
        self.end_headers()
        while not self.server.over.wait(0.1):
            self.wfile.write(b"x")

    def _truncated(self, rest, count):
        self.send_response(200)
        self.send_header("Content-Length", str(len(POSTER)))
        self.end_headers()
        self.wfile.write(POSTER[:-500])
        self.close_connection = True

    def _cut_off(self, rest, count):
        """A whole response, of an image that is not."""
        self._answer(body=POSTER[:-500], Content_Type="image/jpeg")

    def _hung_up(self, rest, count):
        self.close_connection = True

    def _garbage(self, rest, count):
        self.wfile.write(b"\x00\xffnothing of HTTP\r\n\r\n" * 10)
        self.close_connection = True

    def _html(self, rest, count):
        self._answer(body=HTML, Content_Type="image/jpeg")

    def _empty(self, rest, count):
        self._answer(Content_Type="image/jpeg")

    def _pixel(self, rest, count):
        self._answer(body=image("GIF", (1, 1)), Content_Type="image/gif")

    def _blank(self, rest, count):
        self._answer(body=blank(), Content_Type="image/jpeg")

    def _endless(self, rest, count):
        """More than anyone takes, without a length."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while not self.server.over.is_set():
            self.wfile.write(POSTER[:2] + bytes(65_534))
            self.server.sent += 65_536

    def _large(self, rest, count):
        self._answer(body=bytes(2 * 2**20), Content_Type="image/png")

    def _compressed(self, rest, count):
        self._answer(body=gzip.compress(POSTER), Content_Encoding="gzip")

    def _chain(self, rest, count):
        where = f"/chain/{int(rest) - 1}" if int(rest) > 1 else "/ok/1"
        self._answer(302, Location=where)

    def _loop(self, rest, count):
        self._answer(307, Location="/loop")

    def _to(self, rest, count):
        """A redirect to whatever the address says."""
        self._answer(301, Location=rest.replace("%25", "%"))

    def _nowhere(self, rest, count):
        self._answer(302)


class Misbehaving(ThreadingHTTPServer):
    """The server; `asked` counts the requests for each path."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock, self.over = threading.Lock(), threading.Event()
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[str, float]] = []
        self.seconds = 0.0
        self.sent = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """Say nothing of clients that hang up."""


@contextmanager
def misbehaving() -> Iterator[Misbehaving]:
    """Serve in threads of this process."""
    with Misbehaving() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
