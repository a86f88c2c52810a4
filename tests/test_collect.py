"""Posters of a list: read from any list, asked for politely, kept whole, and from nowhere else."""

import csv
import datetime
import ipaddress
import json
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import RECOLOR
from misbehaving import POSTER, misbehaving

from recolor.datasets.folder_lock import LockError, folder_lock
from recolor.datasets.images import open_image
from recolor.platform.cli.main import main
from recolor.platform.collection.collecting import JOURNAL, FolderError, Result, collect
from recolor.platform.collection.fetching import FetchPolicy
from recolor.platform.collection.poster_list import ListError, Row, parse_years, read_list
from recolor.platform.collection.public_network import is_public


def anywhere(address) -> bool:
    return True


HASTY = FetchPolicy(concurrency=32, rate=1000, seconds=10, retries=1, megabytes=1, allowed=anywhere)


@pytest.fixture
def server():
    with misbehaving() as running:
        yield running


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(server, *paths: str) -> list[Row]:
    return [Row(f"{server.url}/{path}", path, "", None) for path in paths]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "posters.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def statuses(results: list[Result]) -> list[str]:
    return sorted(result.status for result in results)


def run(*arguments) -> tuple[int, str]:
    """Run the command in this process; return its exit status and the last line it said."""
    result = CliRunner().invoke(main, ["collect", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    said = result.stdout or result.stderr
    return result.exit_code, said.splitlines()[-1]


# Lists


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_lists_are_read_in_any_encoding_and_with_any_delimiter(tmp_path, encoding, delimiter):
    lines = [
        ["imdbId", "Imdb Link", "Title", "Poster", "plot"],
        ["1", "http://imdb.example/1", "Amélie (2001)", "http://a.example/1.jpg", '"two\nlines"'],
        ["2", "", f'"Good{delimiter} bad"', " http://a.example/2.jpg "],
        [],
        ["3"],
    ]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    assert read_list(written(tmp_path / "list.csv", text, encoding)) == [
        Row("http://a.example/1.jpg", "1", "Amélie", 2001),
        Row("http://a.example/2.jpg", "2", f"Good{delimiter} bad", None),
        Row("", "3", "", None),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID,POSTER\n7,http://x/7\n", Row("http://x/7", "7", "", None)),
        ("Poster_Link,Series_Title\nhttp://x/7,Up\n", Row("http://x/7", "", "", None)),
        # A page of a movie is not a poster of it.
        ("link,poster,id\nhttp://x/page,http://x/7,7\n", Row("http://x/7", "7", "", None)),
        ("id,imdb_id,image\n7,tt7,http://x/7\n", Row("http://x/7", "tt7", "", None)),
        ("url\nhttp://x/a,b\n", Row("http://x/a", "", "", None)),
        ("url,year\nx,1994.0\n", Row("x", "", "", 1994)),
        ("url,title,year\nx,Heat (1995),1996\n", Row("x", "", "Heat", 1996)),
        ("url,title\nx,The Kingdom (1994\u20131997)\n", Row("x", "", "The Kingdom", 1994)),
        ("url,title\nx,(500) Days of Summer\n", Row("x", "", "(500) Days of Summer", None)),
    ],
)  # fmt: skip
def test_columns_are_found_by_name(tmp_path, text, expected):
    assert read_list(written(tmp_path / "list.csv", text)) == [expected]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "1,http://x/1\n2,http://x/2\n",
            "The first line must name the columns; it has: 1, http",
        ),
        ("id,title\n1,Heat\n", "no column Poster, image, url or link.* it has: id, title"),
        ("", "it has: none"),
        ('id,url\n1,"http://x/1\n2,http://x/2\n', r"list.csv, line 3: not CSV: unexpected end"),
        ('id,url\n1,"a" b\n', "line 2: not CSV"),
        (f"id,url\n1,{'a' * 200_000}\n", "line 2: not CSV: field larger"),
    ],
)
def test_what_is_no_list_is_said_in_one_line(tmp_path, text, said):
    path = written(tmp_path / "list.csv", text)
    with pytest.raises(ListError, match=said) as caught:
        read_list(path)
    assert "\n" not in str(caught.value)
    status, line = run(path, "--out", tmp_path / "out")
    assert (status, line) == (1, f"Error: {caught.value}")
    assert not list(tmp_path.glob("out/*.csv"))


def test_years_are_a_range_or_one():
    assert parse_years("2000-2020") == parse_years(" 2000 \u2013 2020 ") == range(2000, 2021)
    assert parse_years("1994") == range(1994, 1995)
    for wrong in ("20-30", "2020-2000", "2000-", "all"):
        with pytest.raises(ListError, match="like 2000-2020"):
            parse_years(wrong)


# Names


def test_names_of_files_are_good_on_any_system_and_differ(server, tmp_path):
    """Also where large and small letters are the same."""
    names = {
        "tt0113277": "tt0113277",
        "../../etc/passwd": "__.._etc_passwd",
        "a/b\\c:d*e?\x00\n\x1bf": "a_b_c_d_e_f",
        "A?B/C D_E\\F": "A_B_C_D_E_F-[0-9a-f]{12}",
        "con": "_con",
        "LPT1.tar": "_LPT1.tar",
        "-rf": "_rf",
        ".hidden": "_hidden",
        "dots...": "dots_",
        "Amélie": "Amélie",
        "é" * 300: "é" * 50,
        "": "[0-9a-f]{12}",
        "...": "[0-9a-f]{12}",
        "\u202e": "[0-9a-f]{12}",
    }
    rows = [Row(f"{server.url}/ok/{n}", its_id, "", None) for n, its_id in enumerate(names, 1)]
    for order in (rows, rows[::-1]):
        collect(order, tmp_path, HASTY)
        files = {line["id"]: line["file"] for line in table(tmp_path)}
        for its_id, name in names.items():
            shown = f"'{its_id}" if its_id == "-rf" else its_id
            assert re.fullmatch(f"{name}.jpg", files[shown])
        assert len({file.casefold() for file in files.values()}) == len(names)
    assert server.asked.total() == len(names)


# Addresses


PRIVATE = """
    127.0.0.1 127.8.8.8 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1
    192.0.2.1 198.18.0.1 224.0.0.1 239.255.255.250 233.252.0.1 240.0.0.1 255.255.255.255
    :: ::1 fe80::1 fe80::1%eth0 fc00::1 fd12::1 fec0::1 ff02::1 ff0e::1 2001:db8::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2002:a00:1::
    2001:0:4136:e378:8000:63bf:80ff:fffe
    192.0.0.8 192.0.0.9 192.0.0.192 192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1
    2001:2::1 2001:20::1 2620:4f:8000::1 3fff::1 3fff:fff::1 5f00::1
    ::ffff:192.0.0.192 64:ff9b::c058:6301 2002:c000:c0::
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_these_addresses_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "192.0.1.1", "2606:4700::1", "2001:200::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_these_addresses_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:7f00:1]"]
)
def test_this_machine_is_not_asked_unless_that_is_allowed(server, tmp_path, host):
    """Whatever it is called; and what was refused is asked for once it is allowed."""
    port = server.server_address[1]
    path = written(tmp_path / "list.csv", f"id,url\n1,http://{host}:{port}/ok/1\n")
    status, line = run(path, "--out", tmp_path / "out", "--retries", 0)
    assert status == 1
    assert "no posters in" in line and "1 failed (1 not a public address)" in line
    assert not server.asked
    # The server has no address of IPv6.
    if host != "[::1]":
        assert run(path, "--out", tmp_path / "out", "--allow-private")[0] == 0
        assert server.asked == {"/ok/1": 1}


def test_a_name_is_resolved_once_and_stays_in_host_and_tls(tmp_path):
    """What is connected to is the address that was checked; the certificate is the name's."""
    seen = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen["host"] = self.headers["Host"]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(POSTER)

        def log_message(self, *arguments):
            pass

    certificate = self_signed(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda socket, name, context: seen.update(sni=name)
    # Every question to the resolver, and every connection, as Python itself reports them.
    code = (
        "import json, socket, sys\nevents = []\n"
        "def note(event, arguments):\n"
        "    if event == 'socket.getaddrinfo':\n        events.append(arguments[0].decode())\n"
        "    if event == 'socket.connect':\n        events.append(arguments[1][0])\n"
        "sys.addaudithook(note)\n"
        "from recolor.platform.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print(json.dumps(events))\n"
    )
    with HTTPServer(("127.0.0.1", 0), Handler) as https:
        https.socket = context.wrap_socket(https.socket, server_side=True)
        thread = threading.Thread(target=https.serve_forever, args=(0.05,))
        thread.start()
        port = https.server_address[1]
        path = written(tmp_path / "list.csv", f"url\nhttps://localhost:{port}/1.jpg\n")
        arguments = ["collect", path, "--out", tmp_path / "out", "--allow-private", "--retries", 0]
        result = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "SSL_CERT_FILE": str(certificate)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        https.shutdown()
        thread.join()
    assert result.returncode == 0, result.stderr
    first, *connections = json.loads(result.stdout.splitlines()[-1])
    assert first == "localhost"
    # Each is an address.
    assert set(connections) <= {"::1", "127.0.0.1"} and connections[-1] == "127.0.0.1"
    assert seen == {"host": f"localhost:{port}", "sni": "localhost"}


def self_signed(folder: Path, name: str) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


# Servers

# What a server does, what is said of it, and how often it is asked.
FAULTS = {
    # To these, redirects lead as well.
    "ok/1": ("ok", 2),
    "chain/5": ("ok", 2),
    "format/PNG": ("ok", 1),
    "format/WEBP": ("ok", 1),
    "broken-once": ("ok", 2),
    "busy/1": ("ok", 2),
    "chain/6": ("more than 5 redirects", 1),
    "loop": ("more than 5 redirects", 6),
    "to/file:///etc/passwd": ("not http or https: file", 1),
    "to/http://10.0.0.1/x.jpg": ("not a public address: 10.0.0.1", 1),
    "to/http://169.254.169.254/": ("not a public address: 169.254.169.254", 1),
    "to/http://192.0.0.192/": ("not a public address: 192.0.0.192", 1),
    "to/http://[::1": ("not a URL: ", 1),
    "to/http://[::1]:99999/": ("not a URL: ", 1),
    "to/http://a.example:-1/": ("not a URL: ", 1),
    "to/http://xn--/": ("not a URL: ", 1),
    "nowhere": ("HTTP 302", 1),
    "status/404": ("HTTP 404", 1),
    "status/410": ("HTTP 410", 1),
    "status/403": ("HTTP 403", 1),
    "status/204": ("HTTP 204", 1),
    "status/429": ("HTTP 429", 2),
    "status/500": ("HTTP 500", 2),
    "status/503": ("HTTP 503", 2),
    "truncated": ("connection failed: peer closed connection", 2),
    "hung-up": ("connection failed: Server disconnected", 2),
    "garbage": ("connection failed: illegal status line", 2),
    "cut-off": ("not an image: damaged image", 1),
    "html": ("not an image: not an image", 1),
    "empty": ("not an image: not an image", 1),
    "pixel": ("not a poster: 1x1 pixels", 1),
    "blank": ("not a poster: of one color", 1),
    "compressed": ("compressed: gzip", 1),
    "endless": ("larger than 1 MB", 1),
}
# What another run tries again.
FLEETING = ("HTTP 429", "HTTP 5", "connection", "larger", "not a public")
NO_URLS = {
    "": "no URL",
    "poster.jpg": "not http or https: no scheme",
    "ftp://x.example/1.jpg": "not http or https: ftp",
    "file:///etc/passwd": "not http or https: file",
    "http://": "not a URL: it names no host",
    "http://[::1": "not a URL: ",
    "http://xn--/1.jpg": "not a URL: ",
    "http://\x00/": "not a URL: ",
    "http://127.0.0.1:65536/1.jpg": "not a URL: ",
    "http://127.0.0.1:9/1.jpg": "connection failed: ",
}


def this_machine_and_public(address) -> bool:
    return address.is_loopback or is_public(address)


def test_every_fault_of_a_server_has_its_final_word(server, tmp_path, monkeypatch):
    """No proxy of the environment is asked: none of these could be had by way of this one."""
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    rows = rows_of(server, *FAULTS) + [Row(url, "", "", None) for url in NO_URLS]
    policy = replace(HASTY, allowed=this_machine_and_public)
    out = tmp_path / "out"
    seen = []
    results = collect(rows, out, policy, lambda *n: seen.append(n))

    lines = table(out)
    assert [line["url"] for line in lines] == [row.url for row in rows]
    words = [*(word for word, _ in FAULTS.values()), *NO_URLS.values()]
    for line, word in zip(lines, words, strict=True):
        assert line["status"].startswith(word), line
        assert bool(line["file"]) == bool(line["sha256"]) == (word == "ok"), line
        if word == "ok":
            assert open_image((out / line["file"]).read_bytes()).size == (40, 60)
    assert {path: server.asked[f"/{path}"] for path in FAULTS} == {
        path: count for path, (_, count) in FAULTS.items()
    }
    files = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert files == {"posters.csv", *(line["file"] for line in lines if line["file"])}
    assert {"format_PNG.png", "format_WEBP.webp"} < files
    assert not list(out.glob(".recolor-*"))
    first, second = (moment for path, moment in server.times if path == "/busy/1")
    assert second - first >= 1
    # Little more was taken than is allowed.
    assert server.sent < 20 * 2**20

    good = words.count("ok")
    assert Counter(result.status == "ok" for result in results)[True] == good
    assert len(results) - good == seen[-1][2]
    assert seen[-1][:2] == (len(rows), len(rows))
    fleeting = [word for word in words if word.startswith(FLEETING)]
    assert sum(not result.final for result in results) == len(fleeting)

    # The same again: what is settled is not asked for, and all is said as before.
    before, server.asked = lines, Counter()
    again = collect(rows, out, policy)
    assert set(again) == set(results) and table(out) == before
    asked = {path for path, (word, _) in FAULTS.items() if word.startswith(FLEETING)}
    assert set(server.asked) == {f"/{path}" for path in asked}


def test_a_host_is_asked_no_more_often_than_at_the_rate(server, tmp_path):
    rows = rows_of(server, *(f"ok/{n}" for n in range(1, 13)))
    begun = time.monotonic()
    collect(rows, tmp_path / "out", FetchPolicy(rate=20, allowed=anywhere))
    # The first one goes at once, and each of the others a twentieth of a second later.
    assert time.monotonic() - begun >= 11 / 20
    assert server.asked.total() == 12


def test_a_larger_limit_gets_what_was_too_large(server, tmp_path):
    rows = rows_of(server, "large", "ok/1")
    assert statuses(collect(rows, tmp_path, HASTY)) == ["larger than 1 MB", "ok"]
    # Now it is seen that it is not an image.
    larger = replace(HASTY, megabytes=3)
    assert statuses(collect(rows, tmp_path, larger))[0].startswith("not an image")
    assert server.asked == {"/large": 2, "/ok/1": 1}


def test_a_body_that_takes_too_long_is_given_up(server, tmp_path):
    """Also one of which something comes all the time; and the next one gets its connection."""
    rows = rows_of(server, *(f"{kind}/{n}" for kind in ("stalled", "dripping") for n in range(8)))
    policy = replace(HASTY, concurrency=4, seconds=0.2, retries=0)
    assert statuses(collect(rows, tmp_path, policy)) == ["timed out"] * 16
    # Some may have been given up before the server noticed them.
    assert len(server.asked) > 12


# Folders


def test_an_address_in_several_rows_is_asked_for_once(server, tmp_path):
    url = server.url
    text = f"id,title,url\n1,One (1991),{url}/ok/1\n2,Two (1992),{url}/status/404\n"
    text += f"3,Three (1993),{url}/ok/1\n4,Four (1994),{url}/status/404\n"
    path = written(tmp_path / "list.csv", text)
    status, line = run(path, "--out", tmp_path / "out", "--allow-private", "--rate", 1000)
    assert status == 0
    assert line == f"1 poster in {tmp_path / 'out'}, 1 failed (1 HTTP 404)"
    assert server.asked == {"/ok/1": 1, "/status/404": 1}
    lines = table(tmp_path / "out")
    assert [(line["file"], line["id"], line["title"], line["year"]) for line in lines] == [
        ("1.jpg", "1", "One", "1991"),
        ("", "2", "Two", "1992"),
        ("1.jpg", "3", "Three", "1993"),
        ("", "4", "Four", "1994"),
    ]


def test_spreadsheets_run_no_cell_of_the_table(server, tmp_path):
    """What begins as a formula gets an apostrophe; all else is as it was in the list."""
    formulas = ['=HYPERLINK("http://x.example")', "+1", "-30-", "@Suicide Room"]
    titles = [*formulas, "", "'=1", "M = 1", "1 + 1", "two\r=lines", "two\n=lines"]
    url = f"{server.url}/ok/1"
    rows = [Row(url, title, title, None) for title in titles] + [Row("=1+1", "5", "", 1999)]
    collect(rows, tmp_path, HASTY)
    lines = table(tmp_path)
    expected = [f"'{title}" for title in formulas] + titles[len(formulas) :]
    assert [line["title"] for line in lines[:-1]] == expected
    assert [line["id"] for line in lines[:-1]] == expected
    assert (lines[-1]["url"], lines[-1]["year"]) == ("'=1+1", "1999")


def test_a_list_can_be_taken_in_parts(server, tmp_path):
    text = "id,year,url\n" + "".join(
        f"{n},{1990 + n},{server.url}/ok/{n}\n" for n in range(1, 10)
    )  # fmt: skip
    path, out = written(tmp_path / "list.csv", text), tmp_path / "out"
    options = ("--out", out, "--allow-private", "--rate", 1000)
    assert run(path, *options, "--years", "1993-1996", "--limit", 2)[1] == f"2 posters in {out}"
    assert [line["id"] for line in table(out)] == ["3", "4"]
    assert run(path, *options, "--years", "1994-1996")[1] == f"3 posters in {out}"
    assert run(path, *options)[1] == f"9 posters in {out}"
    assert len(table(out)) == 9
    assert server.asked == {f"/ok/{n}": 1 for n in range(1, 10)}
    assert run(path, *options, "--years", "1900") == (1, f"Error: {path} has no posters of 1900")
    assert len(table(out)) == 9


def test_the_command_fails_only_where_there_is_no_poster_at_all(server, tmp_path):
    lines = "".join(
        f"{server.url}/{path}\n" for path in ("html", "status/500", "status/404", "pixel", "html/2")
    )
    path, out = written(tmp_path / "list.csv", f"url\n{lines}"), tmp_path / "out"
    options = ("--out", out, "--allow-private", "--rate", 1000, "--retries", 0)
    status, line = run(path, *options)
    assert status == 1
    assert line.startswith(f"Error: no posters in {out}, 5 failed (2 not an image, ")
    assert line.endswith("; the same command tries 1 of them again")
    path = written(tmp_path / "list.csv", f"url\n{lines}{server.url}/ok/1\n")
    status, line = run(path, *options)
    assert status == 0 and line.startswith(f"1 poster in {out}, 5 failed (2 not an image, ")


def test_a_poster_that_is_gone_is_downloaded_again(server, tmp_path):
    rows = rows_of(server, "ok/1", "ok/2")
    collect(rows, tmp_path, HASTY)
    (tmp_path / "ok_1.jpg").unlink()
    assert statuses(collect(rows, tmp_path, HASTY))[-2:] == ["ok", "ok"]
    assert (tmp_path / "ok_1.jpg").exists()
    assert server.asked == {"/ok/1": 2, "/ok/2": 1}


def test_other_files_and_other_processes_are_left_alone(server, tmp_path):
    rows = rows_of(server, "ok/1")
    mine = written(tmp_path / "ok_1.jpg", "mine")
    with pytest.raises(FolderError, match="holds other files: choose a new or an empty folder"):
        collect(rows, tmp_path, HASTY)
    assert mine.read_text() == "mine"
    with folder_lock(tmp_path / "other"), pytest.raises(LockError, match="is being written by"):
        collect(rows, tmp_path / "other", HASTY)
    assert not server.asked


def test_a_damaged_journal_costs_no_more_than_what_it_held(server, tmp_path):
    rows = rows_of(server, "ok/1", "ok/2", "status/404")
    collect(rows, tmp_path, HASTY)
    journal = tmp_path / JOURNAL
    first, second, third = journal.read_text().strip().splitlines()
    journal.write_bytes(f"{first}\n[1]\n\xff\n{third}\n{second[:-9]}".encode("latin-1"))
    assert statuses(collect(rows, tmp_path, HASTY))[-2:] == ["ok", "ok"]
    assert server.asked.total() == 4
    assert statuses(collect(rows, tmp_path, HASTY))[-2:] == ["ok", "ok"]
    assert server.asked.total() == 4


def test_a_file_that_cannot_be_written_is_said_in_one_line(server, tmp_path):
    """The journal fits into a file of a kilobyte, a poster does not."""
    command, out = begin(server, tmp_path, 4)
    words = ["bash", "-c", 'ulimit -f 1 && exec "$@"', "bash", *command]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and not result.stdout
    assert result.stderr.splitlines()[-1].startswith(f"Error: File too large: {out}")
    assert not list(out.glob("*.jpg")) and not list(out.glob(".recolor-*"))


# Interruptions


def begin(server, folder: Path, count: int) -> tuple[list[str], Path]:
    lines = "".join(f"{n},{server.url}/ok/{n}\n" for n in range(1, count + 1))
    path = written(folder / "list.csv", f"id,url\n{lines}")
    options = ("--allow-private", "--rate", "1000", "--concurrency", "4")
    return [*RECOLOR, "collect", str(path), "--out", str(folder / "out"), *options], folder / "out"


def settled(out: Path) -> set[str]:
    """The ids of the posters that a process has noted, dead or alive."""
    lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    return {Path(json.loads(line)[1]).stem for line in lines if line.strip() and line[-1] == "\n"}


def wait_for(condition, process) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)


def test_a_killed_command_continues_and_nothing_is_half_written(server, tmp_path):
    """Kill -9 twice; what was settled by then is asked for once in all."""
    count, at_once = 80, 4
    server.seconds = 0.02
    command, out = begin(server, tmp_path, count)
    finished: set[str] = set()
    asked: Counter[str] = Counter()
    for goal in (10, 40):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(lambda goal=goal: len(list(out.glob("*.jpg"))) >= goal, process)
        time.sleep(random.uniform(0, 0.03))
        process.kill()
        process.wait()
        for file in out.glob("*.jpg"):
            open_image(file.read_bytes()).load()
        assert not (out / "posters.csv").exists()
        assert finished <= settled(out)
        finished = settled(out)
        asked = Counter(server.asked)
    assert len(finished) >= 35
    arguments = command[len(RECOLOR) + 1 :]
    assert run(*arguments) == (0, f"{count} posters in {out}")
    for its_id in finished:
        assert server.asked[f"/ok/{its_id}"] == asked[f"/ok/{its_id}"]
    # Those on their way at a kill, and no others, were asked for again.
    assert server.asked.total() <= count + 2 * at_once
    assert not list(out.glob(".recolor-*"))
    assert {line["status"] for line in table(out)} == {"ok"} and len(table(out)) == count
    server.asked.clear()
    assert run(*arguments) == (0, f"{count} posters in {out}")
    assert not server.asked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_ends_in_one_line(server, tmp_path, number, heard):
    server.seconds = 0.05
    command, out = begin(server, tmp_path, 400)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(list(out.glob("*.jpg"))) >= 8, process)
    process.send_signal(number)
    said, error = process.communicate(timeout=30)
    assert process.returncode == 128 + number and not said
    lines = [line for line in re.split("[\r\n]", error) if line and "collecting" not in line]
    by = "" if number == signal.SIGINT else " by SIGTERM"
    assert lines == [f"Error: interrupted{by}: run the same command again to continue"]
    assert not list(out.glob(".recolor-*"))
    assert {file.stem for file in out.glob("*.jpg")} >= settled(out)
