"""`recolor serve` over HTTP: the same pixels everywhere, and a clear answer to everything."""

import base64
import contextlib
import io
import json
import random
import signal
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from hashlib import sha256
from urllib.parse import quote, urlencode

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from faults.bad_requests import bad_request
from mutations import mutated_files
from PIL import ExifTags, Image
from served import Served
from skimage import data as samples
from starlette.testclient import TestClient

from recolor.datasets.hints import parse_hints
from recolor.datasets.palettes.palette import Palette
from recolor.models.catalog import PAPER
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.models.restoring import Restorer
from recolor.platform.cli.main import main
from recolor.platform.registry.model import Model, load_model
from recolor.platform.server.application import application
from recolor.platform.server.cancellation import CancelledWorkError, cancellable
from recolor.platform.server.limits import Limits
from recolor.platform.server.query import Original
from recolor.platform.server.running import SECONDS_FOR_HEAD, bound
from recolor.platform.server.studio import Studio
from recolor.platform.serving.files import recolor_files

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

MEGAPIXELS, BODY_MB, QUEUE, MEMORY_MB = 4, 8, 3, 96
LIMITS = (
    *("--max-pixels", str(MEGAPIXELS), "--max-body", str(BODY_MB), "--threads", "2"),
    *("--queue", str(QUEUE), "--memory", str(MEMORY_MB), "--timeout", "30"),
    *("--allowed-host", "posters.example", "--allowed-host", "*.cinema.example"),
)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(samples.astronaut()).resize((width, height))


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return encoded(picture(90, 60), "TIFF", exif=exif)


def transparent() -> bytes:
    image = picture(60, 90)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encoded(image)


# Without losses where the format allows, so that pixels can be compared.
PICTURES = {
    "portrait": encoded(picture(60, 90)),
    "landscape": encoded(picture(90, 60)),
    "square": encoded(picture(70, 70)),
    "CMYK": encoded(picture(60, 90).convert("CMYK"), "TIFF"),
    "alpha": transparent(),
    "turned by Exif": turned(),
}
POSTER = PICTURES["portrait"]
OPTIONS = {"strength": 0.8, "vividness": 0.7, "restore": 0.6}


@pytest.fixture(scope="module")
def served(forge, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    with Served(forge, folder, "--model", "classification", *LIMITS) as server:
        yield server


@pytest.fixture(scope="module")
def served_regression(forge, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    with Served(forge, folder, "--model", "regression", *LIMITS) as server:
        yield server


@pytest.fixture(scope="module")
def slow_client(served):
    """A connection that began a request when the other tests began, and never ends it."""
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(b"GET /model HTTP/1.1\r\nHost: localhost\r\nX-Slow:")
        yield client, time.monotonic()


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image).astype(int)


def query(**options) -> str:
    return urlencode(options, doseq=True)


def check_three_ways(server, painter, data: bytes, options: dict, folder) -> None:
    """POST /recolor, MLflow's /invocations and `recolor apply` give the same."""
    status, _, answer = server.ask("POST", f"/recolor?{query(**options)}", data)
    assert status == 200, answer
    file = folder / "poster"
    file.write_bytes(data)
    hints = parse_hints([options["hint"]]) if "hint" in options else ()
    recolor_files(painter, [file], folder / "out", decoding=Decoding(**{**options, "hint": hints}))
    assert answer == (folder / "out" / "poster").read_bytes()
    typed = {**options, "restore": str(options["restore"])}
    request = {"inputs": {"image": [base64.b64encode(data).decode()]}, "params": typed}
    status, content = server.predict(request)
    assert status == 200, content
    predicted = pixels(base64.b64decode(content["predictions"][0]["image"]))
    # It shows what is transparent over white, which shines through, so that not every color can be.
    image = Image.open(io.BytesIO(answer)).convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    clear = 255 - np.asarray(image)[..., 3:].astype(int)
    assert (np.abs(predicted - np.asarray(shown)) <= 1 + clear).all()


class TestPixels:
    @pytest.mark.parametrize("name", PICTURES)
    def test_three_ways_give_the_same(self, served, painter, name, tmp_path):
        colors = {"palette": "#0b3c5d,orange:3", "hint": "50%,50%=red"}
        check_three_ways(served, painter, PICTURES[name], {**OPTIONS, **colors}, tmp_path)

    def test_a_regression_as_well(self, served_regression, tmp_path):
        painter = load_model("regression").painter
        for name, data in PICTURES.items():
            folder = tmp_path / name
            folder.mkdir()
            check_three_ways(served_regression, painter, data, OPTIONS, folder)

    def test_a_kept_picture_gives_the_same_file(self, served):
        status, _, content = served.ask("POST", "/pictures", POSTER)
        known = json.loads(content)
        assert (status, known["id"]) == (201, sha256(POSTER).hexdigest())
        assert [known[name] for name in ("width", "height", "format")] == [60, 90, "PNG"]
        at_once = served.ask("POST", "/recolor?restore=0.2", POSTER)[2]
        assert served.ask("GET", f"/pictures/{known['id']}/recolored?restore=0.2")[2] == at_once

    def test_a_preview_is_the_result_made_smaller(self, served):
        data = encoded(picture(400, 600))
        key = json.loads(served.ask("POST", "/pictures", data)[2])["id"]
        for restore in ("none", "auto", "0.5"):
            whole, small = (
                Image.open(io.BytesIO(served.ask("GET", f"/pictures/{key}/recolored?{asked}")[2]))
                for asked in (f"restore={restore}", f"restore={restore}&side=300")
            )
            assert small.size == (200, 300)
            difference = np.asarray(whole.resize(small.size, Image.Resampling.LANCZOS)).astype(int)
            assert np.abs(difference - np.asarray(small)).mean() < 3
        original = served.ask("GET", f"/pictures/{key}/original?side=300&format=png")[2]
        expected = picture(400, 600)
        expected.thumbnail((300, 300), Image.Resampling.LANCZOS)
        assert (pixels(original) == np.asarray(expected)).all()

    def test_a_hint_in_pixels_lies_where_it_does_in_the_picture_that_was_sent(self, served):
        """Two patches, of which one is hinted: at the same place, whatever the preview's size."""
        image = Image.new("RGB", (400, 600), "#2a9d8f")
        image.paste("#c1121f", (200, 300, 400, 600))
        key = json.loads(served.ask("POST", "/pictures", encoded(image))[2])["id"]
        asked = f"/pictures/{key}/recolored?side=150&{query(hint='300,500=#0b3c5d', restore=0)}"
        status, _, answer = served.ask("GET", asked)
        assert status == 200, answer
        at_percent = asked.replace(quote("300,500"), quote("75%,83.3%"))
        assert answer == served.ask("GET", at_percent)[2]
        shown = Image.open(io.BytesIO(answer))
        assert shown.getpixel((10, 10)) == (0x2A, 0x9D, 0x8F)
        red, _, blue = shown.getpixel((90, 140))
        assert blue > red
        outside = asked.replace(quote("300,500"), quote("401,500"))
        words = "outside of the picture of 400x600 pixels"
        check_error(served.ask("GET", outside), 422, words, "hint")

    def test_a_map_tells_which_swatch_each_pixel_is_in(self, served):
        poster = Image.new("RGB", (200, 300), "#7fb2dd")
        # Two colors are as light as each other: else it might be of one ink.
        poster.paste("#d6a56f", (0, 0, 50, 100))
        poster.paste("#c1121f", (0, 200, 200, 300))
        poster.paste("white", (150, 0, 200, 100))
        key = json.loads(served.ask("POST", "/pictures", encoded(poster))[2])["id"]
        status, _, answer = served.ask("GET", f"/pictures/{key}/swatches?side=150&restore=0")
        known = json.loads(answer)
        assert status == 200 and [one["name"] for one in known["swatches"]] == [
            "sky blue", "red", "white", "tan"
        ]  # fmt: skip
        assert (known["paper"], known["skin"]) == (pytest.approx(1 / 12, abs=0.01), 0)
        assert known["map"].startswith("data:image/png;base64,")
        drawn = Image.open(io.BytesIO(base64.b64decode(known["map"].partition(",")[2])))
        assert drawn.size == (100, 150)
        assert [drawn.getpixel(at) for at in ((40, 20), (20, 140), (90, 10))] == [
            (0, 0, 0), (1, 0, 0), (2, 255, 0)
        ]  # fmt: skip
        check_error(served.ask("GET", "/pictures/none/swatches"), 404, "not kept", "id")


class TestPalettes:
    def test_that_of_another_picture(self, served, painter):
        other = encoded(Image.merge("RGB", picture(40, 50).split()[::-1]))
        key = json.loads(served.ask("POST", "/pictures", other)[2])["id"]
        answer = served.ask("POST", f"/recolor?palette={key}", POSTER)[2]
        palette = Palette.of_picture(Image.open(io.BytesIO(other)), "")
        expected = painter.recolor(picture(60, 90), Decoding(palette=palette))
        assert np.abs(pixels(answer) - np.asarray(expected)).max() <= 1

    def test_the_suggestions_of_apply(self, served, painter):
        for source in (picture(60, 90), picture(60, 90).convert("L").convert("RGB")):
            known = json.loads(served.ask("POST", "/pictures", encoded(source))[2])
            expected = painter.suggestions(painter.see(source, Decoding()), 6)
            assert [one["name"] for one in known["suggestions"]] == [one.name for one in expected]
            for suggestion, palette in list(zip(known["suggestions"], expected, strict=True))[::3]:
                asked = query(palette=suggestion["palette"])
                _, headers, answer = served.ask("GET", f"/pictures/{known['id']}/recolored?{asked}")
                painted = painter.recolor(source, Decoding(palette=suggestion["palette"]))
                assert np.abs(pixels(answer) - np.asarray(painted)).max() <= 1
                assert headers["recolor-palette"] == quote(palette.name)

    def test_an_answer_says_what_was_done(self, served):
        asked = query(palette="teal,orange", strength=0.5, hint=["1,1=red", "2,2=blue"])
        _, headers, _ = served.ask("POST", f"/recolor?{asked}", POSTER)
        settings = json.loads(headers["recolor-settings"])
        assert (settings["strength"], settings["hint"]) == (0.5, 2)
        assert headers["recolor-model"] == "classification"
        assert "recolor-version" not in headers


class TestFormats:
    @pytest.mark.parametrize(
        ("asked", "accept", "expected"),
        [
            ("", "*/*", "image/jpeg"),
            ("", "image/png", "image/png"),
            ("", "text/html", "image/jpeg"),
            ("", "image/webp,image/png;q=0.5", "image/webp"),
            ("", "image/avif,image/webp,image/*,*/*;q=0.8", "image/webp"),
            ("format=png", "image/webp", "image/png"),
            ("format=jpeg", "", "image/jpeg"),
            ("format=webp", "*/*", "image/webp"),
            ("format=source", "image/png", "image/jpeg"),
            ("format=", "image/png", "image/png"),
        ],
    )  # fmt: skip
    def test_a_parameter_or_accept_chooses(self, served, asked, accept, expected):
        data = encoded(picture(40, 60), "JPEG")
        status, headers, answer = served.ask("POST", f"/recolor?{asked}", data, Accept=accept)
        assert (status, headers["content-type"]) == (200, expected)
        with Image.open(io.BytesIO(answer)) as image:
            assert Image.MIME[image.format] == expected

    def test_what_a_format_can_not_hold_is_told(self, served):
        data = encoded(Image.new("L", (17_000, 2)))
        status, _, content = served.ask("POST", "/recolor?format=webp", data)
        told = json.loads(content)
        assert (status, told["field"]) == (422, "format")
        assert "can't be written as WEBP" in told["error"]


def check_error(answer, status: int, words: str, field: str | None = None) -> dict:
    found, headers, content = answer
    told = json.loads(content)
    assert (found, told["field"]) == (status, field), told
    assert words in told["error"] and "\n" not in told["error"]
    assert told["request_id"] == headers["x-request-id"]
    return headers


class TestErrors:
    @pytest.mark.parametrize(
        ("asked", "field", "words"),
        [
            ("strength=1.5", "strength", "less than or equal to 1"),
            ("strength=nan", "strength", "finite"),
            ("strength=1e999", "strength", "finite"),
            ("temperature=0", "temperature", "greater than or equal to 0.001"),
            ("vividness=x", "vividness", "valid number"),
            ("crop=all", "crop", "'none' or 'auto'"),
            ("restore=all", "restore", "valid number"),
            ("lock=plaid", "lock", "lock 'plaid' is not a color"),
            ("assign=red", "assign", "'red' is not an assignment"),
            ("restore=2", "restore", "less than or equal to 1"),
            ("format=gif", "format", "'png'"),
            ("side=100", "side", "no such parameter"),
            ("strenght=1", "strenght", "no such parameter"),
            ("hint=9,9", "hint", "'9,9' is not a hint"),
            ("hint=900,9=red", "hint", "lies outside of the picture"),
            ("palette=plaid", "palette", "'plaid' is not a palette"),
            ("palette=%2312345", "palette", "is not a color"),
            ("palette=/etc/passwd", "palette", "is not a palette"),
            ("palette=" + "x" * 5000, "palette", "at most 4000 characters"),
        ],
    )
    def test_an_option_is_a_422_that_names_it(self, served, asked, field, words):
        check_error(served.ask("POST", f"/recolor?{asked}", POSTER), 422, words, field)

    def test_colors_of_a_gray_picture(self, served):
        gray = encoded(picture(40, 60).convert("L"))
        answer = served.ask("POST", "/recolor?palette=source", gray)
        check_error(answer, 422, "has no colors of its own", "palette")
        for asked, field in ((query(assign="red=blue"), "assign"), (query(lock="red"), "lock")):
            answer = served.ask("POST", f"/recolor?{asked}", gray)
            check_error(answer, 422, "where the picture has some", field)

    def test_a_network_that_takes_no_palettes_and_hints(self, served_regression):
        gray = encoded(Image.open(io.BytesIO(POSTER)).convert("L"))
        for asked, field in (("palette=auto", "palette"), ("hint=1,1=red", "hint")):
            answer = served_regression.ask("POST", f"/recolor?{asked}", gray)
            check_error(answer, 422, "takes no", field)
        # A poster with color needs no network for hints.
        assert served_regression.ask("POST", "/recolor?hint=1,1=red", POSTER)[0] == 200

    @pytest.mark.parametrize(
        ("data", "words"),
        [(b"", "not an image"), (b"hello", "not an image"), (POSTER[:200], "damaged")],
    )
    def test_a_picture_that_is_none_is_a_400(self, served, data, words):
        for path in ("/recolor", "/pictures"):
            check_error(served.ask("POST", path, data), 400, words)

    def test_paths_and_methods(self, served):
        check_error(served.ask("GET", "/nowhere"), 404, "Not Found")
        check_error(served.ask("GET", "/recolor"), 405, "Method Not Allowed")
        for key in ("0" * 64, "nothing", "%00", "é".encode().hex()):
            for what in ("recolored", "original"):
                answer = served.ask("GET", f"/pictures/{key}/{what}")
                check_error(answer, 404, "send it again", "id")

    def test_the_palette_of_a_picture_that_is_not_kept(self, served):
        answer = served.ask("POST", f"/recolor?palette={'0' * 64}", POSTER)
        check_error(answer, 404, "send it again", "palette")

    def test_mlflow_tells_no_traceback_and_nothing_that_was_sent(self, served):
        sent = base64.b64encode(POSTER[:-400]).decode()
        status, content = served.predict({"inputs": {"image": [sent]}})
        assert status == 400 and content["message"].startswith("image 0: damaged image")
        assert set(content) == {"error_code", "message", "request_id"}
        for body, kind in (
            (b'image\n"a', "text/csv"),
            (b"[" * 9_000, "application/json"),
            (b"[" * 100_000, "application/json"),
            (b"x", ""),
            (b"x", "image/png"),
            (b"\xff", "application/x-parquet"),
        ):
            headers = {"Content_Type": kind} if kind else {}
            status, _, answer = served.ask("POST", "/invocations", body, **headers)
            assert status in (400, 413, 415), answer
            assert b"Traceback" not in answer and b"stack_trace" not in answer


class TestHttp:
    def exchanged(self, served, request: bytes) -> bytes:
        """Everything that is answered until the server hangs up."""
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            client.sendall(request)
            answer = b""
            while block := client.recv(1 << 16):
                answer += block
        return answer

    @pytest.mark.parametrize("path", ["/", "/model", "/healthz", "/metrics", "/ping"])
    def test_head_is_get_without_a_body(self, served, path):
        status, headers, content = served.ask("HEAD", path)
        assert (status, content) == (200, b"") and int(headers["content-length"]) > 0

    def test_head_of_what_has_no_get(self, served):
        assert served.ask("HEAD", "/nowhere")[0] == 404
        assert served.ask("HEAD", "/recolor")[0] == 405

    def test_browsers_never_guess_a_type(self, served):
        for method, path in (
            *(("GET", "/"), ("GET", "/metrics"), ("GET", "/ping"), ("GET", "/nowhere")),
            *(("POST", "/recolor"), ("POST", "/invocations"), ("HEAD", "/model")),
        ):
            assert served.ask(method, path)[1]["x-content-type-options"] == "nosniff"
        assert served.ask("GET", "/", Host="evil.example")[1]["x-content-type-options"]

    @pytest.mark.parametrize("length", [b"5", b"0", b"1000"])
    def test_two_lengths_of_a_body(self, served, length):
        """A proxy in front may believe the other one."""
        answer = self.exchanged(
            served,
            b"POST /recolor HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length
            + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )  # fmt: skip
        assert answer.startswith(b"HTTP/1.1 400 ") and b"exclude each other" in answer
        assert answer.count(b"HTTP/1.1") == 1

    @pytest.mark.parametrize("path", [b"/nowhere", b"/healthz", b"/invocations"])
    def test_nobody_waits_for_a_body_that_is_not_read(self, served, path):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        answer = self.exchanged(served, head)
        assert answer.startswith(b"HTTP/1.1 4") and b"connection: close" in answer

    @pytest.mark.parametrize(
        "options",
        [
            {"palette": " " * 3900 + "teal"},
            {"palette": ",".join(["teal, orange"] * 32)},
            {"lock": ["#c1121f"] * 100},
            {"assign": ["#c1121f=#0b3c5d"] * 99, "palette": "teal,orange"},
            {"hint": ["5,5=#c1121f"] * 99},
        ],
    )
    def test_headers_that_any_proxy_takes(self, served, options):
        status, headers, _ = served.ask("POST", f"/recolor?{query(**options)}", POSTER)
        assert status == 200
        assert sum(len(name) + len(value) + 4 for name, value in headers.items()) < 4000


class TestTrustedHosts:
    """As browsers send them, on a visit to another site as well."""

    @pytest.mark.parametrize(
        "host",
        [
            *("localhost", "LOCALHOST:80", "app.localhost", "127.0.0.1", "192.168.7.7:5001"),
            *("[::1]:5001", "[fe80::1]", socket.gethostname(), "posters.example:8080"),
            "old.cinema.example",
        ],
    )
    def test_names_that_are_its_own(self, served, host):
        assert served.ask("GET", "/healthz", Host=host)[0] == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:5001", "[x"]
    )
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/"), ("POST", "/recolor"), ("POST", "/invocations")]
    )
    def test_other_names(self, served, method, path, host):
        words = "does not answer under the name"
        check_error(served.ask(method, path, POSTER, Host=host), 403, words)

    def test_without_a_name(self, served):
        """As the probes of some proxies."""
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert b" 200 " in client.recv(1000)

    @pytest.mark.parametrize(
        "origin", ["http://127.0.0.1:1", "http://localhost:3000", "https://posters.example"]
    )
    def test_pages_of_its_own(self, served, origin):
        assert served.ask("POST", "/recolor", POSTER, Origin=origin)[0] == 200

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "http://192.0.2.1", "http://[x", "null"]
    )
    def test_pages_of_other_sites(self, served, origin):
        for path in ("/recolor", "/pictures", "/invocations"):
            answer = served.ask("POST", path, POSTER, Origin=origin)
            check_error(answer, 403, f"pages of {origin} may not")


class TestLimits:
    def test_a_body_that_is_announced_as_too_large(self, served):
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            client.sendall(
                b"POST /recolor HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
            )
            assert b" 413 " in client.recv(1000)

    @pytest.mark.parametrize("path", ["/recolor", "/pictures", "/invocations"])
    def test_a_body_that_turns_out_too_large(self, served, path):
        """In pieces, of which the server can't know how many there will be."""
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            head += "Transfer-Encoding: chunked\r\n\r\n"
            client.sendall(head.encode())
            # It answers before the end, and hangs up.
            with contextlib.suppress(ConnectionError):
                for _ in range(BODY_MB + 2):
                    client.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
            assert b" 413 " in client.recv(1000)

    @pytest.mark.parametrize("path", ["/recolor", "/pictures"])
    def test_a_header_of_a_huge_picture(self, served, path):
        before = served.memory()
        size = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
        crc = struct.pack(">I", zlib.crc32(b"IHDR" + size))
        data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + size + crc
        data += b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
        check_error(served.ask("POST", path, data), 413, f"the limit is {MEGAPIXELS} megapixels")
        assert served.memory() - before < 50

    def test_one_pixel_row_more_than_allowed(self, served):
        inside, outside = (
            encoded(Image.new("L", (1000, 1000 * MEGAPIXELS + more))) for more in (0, 1)
        )
        assert served.ask("POST", "/recolor", inside)[0] == 200
        check_error(served.ask("POST", "/recolor", outside), 413, "pixels")
        sent = text(outside)
        status, content = served.predict({"inputs": {"image": [sent]}})
        assert status == 400 and "the limit is 4 megapixels" in content["message"]

    @pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1)])
    def test_a_side_that_is_too_long(self, served, size):
        data = encoded(Image.new("L", size))
        for path in ("/recolor", "/pictures"):
            check_error(served.ask("POST", path, data), 413, "the limit is 65535 a side")
        status, content = served.predict({"inputs": {"image": [text(data)]}})
        assert status == 400 and "the limit is 65535 a side" in content["message"]

    @pytest.mark.parametrize("size", [(65_535, 1), (1, 65_535)])
    def test_the_longest_side(self, served, size):
        assert served.ask("POST", "/recolor", encoded(Image.new("L", size)))[0] == 200

    def test_pictures_of_a_request_for_predictions(self, served):
        many = [text(encoded(Image.new("L", (1, 1))))] * 2500
        in_one_row = {"dataframe_split": {"columns": ["image"], "data": [[many]]}}
        for body in ({"inputs": {"image": many}}, in_one_row):
            status, content = served.predict(body)
            assert status == 400
            assert content["message"] == "2500 pictures: the limit is 64 in a request"
        large = text(encoded(Image.new("L", (1000, 1500))))
        status, content = served.predict({"inputs": {"image": [large] * (MEGAPIXELS // 2 + 1)}})
        assert status == 400
        assert content["message"].startswith("image 2: too many pixels in one request")

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"inputs": {"image": [' + b"[]," * 10_000 + b"1]}}", "application/json"),
            (b"[" + b"{}," * 10_000 + b"{}]", "application/json"),
            (b'{"inputs": [' + b"1," * 10_000 + b"1]}", "application/json; charset=utf-8"),
            (b"{" + b",".join(b'"%d":0' % key for key in range(6000)) + b"}", "application/json"),
            (b"image\n" + b"A\n" * 10_000, "text/csv"),
            (b"image\r" + b"A\r" * 10_000, "text/csv"),
            (b"image" + b",A" * 10_001, "text/csv"),
        ],
    )
    def test_values_of_a_request_for_predictions(self, served, body, kind):
        answer = served.ask("POST", "/invocations", body, Content_Type=kind)
        check_error(answer, 413, "more than 10000 values")

    def test_a_table_that_is_compressed(self, served):
        """Parquet, of which a kilobyte can hold a billion values."""
        kind = "application/vnd.apache.parquet"
        answer = served.ask("POST", "/invocations", b"PAR1", Content_Type=kind)
        check_error(answer, 415, "Content-Type must be application/json or text/csv")

    def test_bodies_that_never_come_take_no_place(self, served):
        head = b"POST /recolor HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        with contextlib.ExitStack() as stack:
            for _ in range(2 * (2 + QUEUE)):
                client = socket.create_connection(("127.0.0.1", served.port))
                stack.enter_context(client).sendall(head + b"x")
            assert served.ask("POST", "/recolor", POSTER)[0] == 200

    def test_more_requests_than_places(self, served):
        """Those that are let in are answered; the others are told when to come again."""
        data = encoded(Image.effect_noise((1500, 2000), 50), "JPEG")
        count = 3 * (2 + QUEUE)
        with ThreadPoolExecutor(count) as clients:
            answers = list(
                clients.map(lambda _: served.ask("POST", "/recolor", data), range(count))
            )
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {200, 503} and statuses.count(200) >= 2 + QUEUE
        for status, headers, content in answers:
            if status == 503:
                assert headers["retry-after"] == "1"
                assert "too many requests" in json.loads(content)["error"]
        assert served.ask("POST", "/recolor", POSTER)[0] == 200

    def test_what_was_not_used_for_longest_is_forgotten(self, served):
        """Each of these takes a third of the memory."""
        keys = []
        for shade in range(6):
            data = encoded(Image.new("L", (2000, 2000), 40 * shade))
            keys.append(json.loads(served.ask("POST", "/pictures", data)[2])["id"])
        asked = "recolored?side=20"
        assert served.ask("GET", f"/pictures/{keys[-1]}/{asked}")[0] == 200
        check_error(served.ask("GET", f"/pictures/{keys[0]}/{asked}"), 404, "send it again", "id")
        assert 0 < metric(served, "recolor_kept_bytes") <= MEMORY_MB * 2**20


def test_what_is_kept_of_a_small_picture_counts(painter):
    """Its Exif; and whatever there is beside its few pixels."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 3_000_000
    studio, small = Studio(painter, 10_000, 2**29), Image.new("RGB", (20, 20))
    studio.keep(encoded(small))
    without = studio.bytes_kept
    key = studio.keep(encoded(small, exif=exif))["id"]
    both = studio.bytes_kept
    assert 3_000_000 < both - 2 * without < 3_001_000
    for side in range(16, 116):
        studio.original(key, Original(side=side), "")
    assert studio.bytes_kept - both >= 100 * 4096


def test_nothing_is_kept_of_a_picture_that_nobody_waits_for_any_more(painter):
    """At whichever step of the work on it that is."""

    class Cancelled(threading.Event):
        def __init__(self, step: int):
            super().__init__()
            self.left = step

        def is_set(self) -> bool:
            self.left -= 1
            return self.left < 0

    studio = Studio(painter, 10_000, 2**29)
    for step in range(20):
        try:
            cancellable(Cancelled(step), studio.keep)(POSTER)
            break
        except CancelledWorkError:
            assert studio.bytes_kept == 0
    assert studio.bytes_kept > 0 and step > 4
    # Somebody else has it.
    with pytest.raises(CancelledWorkError):
        cancellable(Cancelled(0), studio.keep)(POSTER)
    assert studio.bytes_kept > 0


def metric(served, name: str) -> float:
    """What the server measures under a name; 0 if it has not begun to."""
    text = served.ask("GET", "/metrics")[2].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


def test_metrics_count_requests(served):
    name = 'recolor_requests_total{path="/recolor",status="422"}'
    before = metric(served, name)
    served.ask("POST", "/recolor?strength=2", POSTER)
    assert metric(served, name) == before + 1


def test_mlflows_other_endpoints_are_there(served):
    assert served.ask("GET", "/ping")[0] == served.ask("GET", "/health")[0] == 200
    assert served.ask("GET", "/version")[2].decode() == mlflow.__version__


def test_the_description_names_every_option(served):
    parameters = json.loads(served.ask("GET", "/openapi.json")[2])["paths"]["/recolor"]["post"]
    names = {parameter["name"] for parameter in parameters["parameters"]}
    assert names == {option.name for option in fields(Decoding)} | {"format"}


@pytest.mark.parametrize("kind", PAPER)
def test_what_the_model_can_be_asked_for(kind, request):
    server = request.getfixturevalue("served" if kind == "classification" else "served_regression")
    known = json.loads(server.ask("GET", "/model")[2])
    assert (known["kind"], known["takes_palette"]) == (kind, kind == "classification")
    assert bool(known["schemes"]) == known["takes_palette"]
    assert known["limits"] == {"bytes": BODY_MB * 2**20, "pixels": MEGAPIXELS * 1_000_000}


def test_a_client_that_goes_away_while_it_waits(served):
    """Its place is free again, and nothing is worked on for it."""
    data = encoded(Image.effect_noise((1500, 2000), 50), "JPEG")
    head = f"POST /recolor HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    for _ in range(2 + QUEUE):
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(head.encode() + data)
    deadline = time.monotonic() + 30
    while served.ask("POST", "/recolor", POSTER)[0] == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_mutated_requests(served):
    """A few of those that `make faults` sends."""
    for name, data in mutated_files(seed=5, count=60):
        status, _, answer = served.ask("POST", "/recolor", data)
        assert status < 500, (name, answer)
    for number in range(60):
        kind, body = bad_request(random.Random(number), POSTER)
        headers = {"Content_Type": kind} if kind else {}
        status, _, answer = served.ask("POST", "/invocations", body, **headers)
        assert status < 500, (number, answer)
        assert b"Traceback" not in answer and b'File "' not in answer
    assert served.ask("POST", "/recolor", POSTER)[0] == 200
    assert "Traceback" not in served.said


@pytest.mark.slow
def test_a_client_that_never_ends_its_request_is_hung_up_on(slow_client):
    client, began = slow_client
    client.settimeout(SECONDS_FOR_HEAD + 20)
    assert client.recv(1) == b""
    assert time.monotonic() - began > SECONDS_FOR_HEAD - 1


def test_sigterm_finishes_what_is_under_way(served):
    """The last test of a server."""
    data = encoded(Image.effect_noise((1500, 2000), 50), "JPEG")
    answers = []
    clients = [
        threading.Thread(target=lambda: answers.append(served.ask("POST", "/recolor", data)[0]))
        for _ in range(3)
    ]
    for client in clients:
        client.start()
    while all(client.is_alive() for client in clients):
        if metric(served, "recolor_requests_inside") == len(clients):
            break
        time.sleep(0.02)
    assert served.end(signal.SIGTERM) == 0
    for client in clients:
        client.join()
    assert answers == [200] * 3
    assert served.said.rstrip().endswith("ended")
    assert "Traceback" not in served.said


def test_the_parts_of_an_answer_do_not_wait_for_each_other():
    """As they do by default, for 40 ms."""
    with (
        bound("127.0.0.1", 0) as address,
        socket.create_connection(address.getsockname()),
        address.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_model_that_does_not_work_is_never_ready(caplog):
    """The cause is in the log at once."""

    def broken():
        raise OSError("its weights are gone")

    model = Model("broken", "none", Painter(broken, Restorer.bundled()), broken)
    with TestClient(application(model, Limits()), "http://localhost") as client:
        deadline = time.monotonic() + 60
        while "warming up" in (answer := client.get("/readyz")).json()["error"]:
            assert time.monotonic() < deadline
        assert answer.status_code == 503 and "retry-after" not in answer.headers
        assert "the server's log has more" in answer.json()["error"]
        assert "its weights are gone" in caplog.text


def test_an_address_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["serve", "--port", port])
    assert result.exit_code == 1
    assert result.output == (
        f"Error: can't serve at 127.0.0.1, port {port}: Address already in use\n"
    )
