"""The page of `recolor serve`, in a real browser, with the real server."""

import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import numpy as np
import pytest
from icc_profiles import printer_profile
from PIL import Image, ImageOps
from served import Served
from skimage import data as samples

from recolor.datasets.demo_posters import generate_demo_posters

try:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright
except ImportError:
    sync_playwright = None


# As root there is no sandbox; the others keep the browser from looking for its maker's hosts.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WIDE = {"width": 2560, "height": 1300}
# The browser says so of every answer that is an error; what the page makes of it is tested.
EXPECTED = "Failed to load resource: "
PATIENCE = 30_000


@pytest.fixture(scope="module")
def served(forge, tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "printer.icc").write_bytes(printer_profile())
    options = ("--model", "classification", "--profile", folder / "printer.icc")
    with Served(forge, folder, *options) as server:
        yield server


def recolored(server: Served, data: bytes, *options: tuple[str, object]) -> bytes:
    """What the API answers to a picture's file that is sent to it."""
    status, _, answer = server.ask("POST", f"/recolor?{urlencode(options)}", data)
    assert status == 200, answer
    return answer


def chromium() -> str:
    """The path of Chromium; where it is missing the test is skipped, or fails if it must be there.

    It must where RECOLOR_REQUIRE_CHROMIUM is set.
    """
    program = shutil.which("chromium")
    if sync_playwright is None or program is None:
        missing = "Chromium or Playwright is missing: apt-get install chromium, make install"
        if os.environ.get("RECOLOR_REQUIRE_CHROMIUM"):
            pytest.fail(missing)
        pytest.skip(missing)
    return program


@pytest.fixture(scope="module")
def browser():
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A user's browser window with the page in it, and what went on there."""

    def __init__(self, browser, server: Served, **options):
        self.context: BrowserContext = browser.new_context(**{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        self.requests, self.faults = [], []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda fault: self.faults.append(str(fault.error)))
        self._server = server
        self.page: Page = self.context.new_page()
        self.page.goto(server.url)
        expect(self.page.locator("#about")).to_contain_text(
            "Restored and recolored by recolor, with "
        )

    def _hear(self, message) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.faults.append(message.text)

    def check(self) -> None:
        """Check that no script failed, the policy was kept, and nobody else was asked."""
        assert not self.faults
        elsewhere = [url for url in self.requests if not url.startswith(f"{self._server.url}/")]
        assert [url for url in elsewhere if not url.startswith(("blob:", "data:"))] == []

    def choose(self, *files: Path) -> None:
        """Choose posters by the button that is there."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name=re.compile("(Choose|Add) posters")).click()
        chooser.value.set_files(files)
        self.wait()

    def drop(self, files: dict[str, bytes], onto: str = "main") -> None:
        """Drop files, as from a file manager."""
        self.page.locator(onto).dispatch_event("drop", {"dataTransfer": self.transfer(files)})

    def transfer(self, files: dict[str, bytes]):
        """What is dropped or pasted."""
        given = [[name, base64.b64encode(data).decode()] for name, data in files.items()]
        script = """(files) => {
            const transfer = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt());
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }"""
        return self.page.evaluate_handle(script, given)

    def wait(self) -> None:
        """Wait until the preview is there, with all that was asked for."""
        expect(self.page.locator("#after")).to_be_visible()
        expect(self.page.locator("#screen")).to_have_attribute("aria-busy", "false")
        expect(self.page.locator("#fault")).to_be_hidden()

    def download(self, button: str = "Download") -> tuple[str, bytes]:
        """Download; return the file's name and content."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=button, exact=True).click()
        file = download.value
        return file.suggested_filename, Path(file.path()).read_bytes()

    def asked(self, which: str) -> list[dict]:
        """The parameters of the previews so far."""
        found = [urlsplit(url) for url in self.requests if f"/{which}?" in url]
        pairs = [parse_qsl(url.query) for url in found]
        return [dict(pairs) for pairs in pairs if ("side", "320") not in pairs]

    def open(self, title: str) -> None:
        self.page.locator("summary", has_text=title).click()

    def slider(self, name: str) -> "Locator":
        return self.page.get_by_role("slider", name=re.compile(f"^{name}"))

    def slide(self, name: str, value: float) -> None:
        self.slider(name).fill(str(value))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place in the poster is on the screen."""
        box = self.page.locator("#frame").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))


@pytest.fixture
def visit(browser, served) -> Iterator:
    """Begin a visit; afterwards what went on in it is checked."""
    visits = []

    def begin(server: Served = served, **options) -> Visit:
        visits.append(Visit(browser, server, **options))
        return visits[-1]

    yield begin
    for each in visits:
        each.context.close()
        each.check()


@pytest.fixture(scope="module")
def old_posters(tmp_path_factory) -> list[Path]:
    return list(generate_demo_posters(tmp_path_factory.mktemp("old"), 4, "old", seed=1))


def test_the_page_is_whole_and_its_policy_strict(served):
    _, headers, content = served.ask("GET", "/")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy and ":" not in policy.replace("blob:", "").replace("data:", "")
    asked = re.findall(r"""(?:src|href|action)=["']?([^"' >]*)""", content.decode())
    assert [one for one in asked if not one.startswith("data:")] == ["page.css", "page.js"]
    for name, kind in {"page.css": "text/css", "page.js": "text/javascript"}.items():
        status, headers, content = served.ask("GET", f"/{name}")
        assert status == 200 and headers["content-type"].startswith(kind)
        assert headers["content-security-policy"] == policy
    assert b"http" not in content.replace(b"http://www.w3.org/2000/svg", b"")


def test_a_dropped_poster_is_recolored_compared_and_downloaded(visit, served, old_posters):
    seen, poster = visit(), old_posters[0]
    page = seen.page
    expect(page.locator("aside")).to_be_hidden()
    seen.drop({"Plakat für Kino.v2.jpg": poster.read_bytes()})
    seen.wait()
    expect(page.locator("#caption")).to_contain_text("Plakat für Kino.v2.jpg, ")
    expect(page.locator("#suggestions img[src]")).to_have_count(6)
    expect(page.locator("#suggestions [aria-pressed=true]")).to_have_text("Restored")
    expect(page.locator("#strip")).to_be_hidden()
    name, data = seen.download()
    assert name == "Plakat für Kino.v2-recolored.jpg"
    assert data == recolored(served, poster.read_bytes(), ("palette", "source"))

    page.locator("#suggestions button").nth(2).click()
    seen.wait()
    chosen = page.locator("#suggestions [aria-pressed=true]").inner_text()
    assert seen.download()[1] == recolored(served, poster.read_bytes(), ("palette", chosen))


def test_posters_are_pasted_and_chosen(visit, old_posters):
    seen = visit()
    pasted = seen.transfer({"pasted.jpg": old_posters[0].read_bytes()})
    seen.page.evaluate(
        "(data) => dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))", pasted
    )
    seen.wait()
    expect(seen.page.locator("#caption")).to_contain_text("pasted.jpg")
    seen.choose(*old_posters[1:3])
    expect(seen.page.locator("#caption")).to_contain_text(old_posters[1].name)
    expect(seen.page.locator("#strip img:visible")).to_have_count(3)
    seen.page.locator("#strip").get_by_role("button", name=old_posters[2].name).first.click()
    seen.wait()
    expect(seen.page.locator("#caption")).to_contain_text(old_posters[2].name)


def test_the_divider_follows_mouse_keys_and_fingers(visit, old_posters):
    seen = visit(has_touch=True)
    seen.choose(old_posters[0])
    divider = seen.page.get_by_role("slider", name="Divider between before and after")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    shown = "getComputedStyle(document.getElementById('after')).clipPath"

    seen.page.mouse.move(*seen.at(0.5, 0.4))
    seen.page.mouse.down()
    seen.page.mouse.move(*seen.at(0.25, 0.3), steps=3)
    seen.page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "25")
    assert seen.page.evaluate(shown) == "inset(0px 0px 0px 25%)"

    divider.focus()
    for key, value in {"ArrowRight": 27, "ArrowLeft": 25, "End": 100, "Home": 0}.items():
        seen.page.keyboard.press(key)
        expect(divider).to_have_attribute("aria-valuenow", str(value))
    expect(divider).to_have_attribute("aria-valuetext", "0 % before, 100 % after")
    seen.page.touchscreen.tap(*seen.at(0.8, 0.6))
    expect(divider).to_have_attribute("aria-valuenow", "0")


def test_swatches_are_found_given_other_colors_locked_and_exchanged(visit, served, tmp_path):
    poster = Image.new("RGB", (400, 600), "#7fb2dd")
    poster.paste("#c1121f", (0, 350, 400, 600))
    poster.paste("#d6a56f", (200, 0, 400, 150))
    poster.save(tmp_path / "flag.png")
    data = (tmp_path / "flag.png").read_bytes()
    seen = visit()
    page = seen.page

    def gives(*options: tuple[str, str]) -> None:
        seen.wait()
        assert seen.download()[1] == recolored(served, data, ("restore", "0"), *options)

    seen.choose(tmp_path / "flag.png")
    seen.slide("How much of its age to take away", 0)
    seen.wait()
    rows = page.locator("#swatches > li")
    for row, (name, share) in enumerate({"sky blue": 46, "red": 41, "tan": 13}.items()):
        expect(rows.nth(row)).to_contain_text(f"{name} {share} %")
    expect(page.locator("#parts > li:visible")).to_have_count(0)

    seen.click(0.25, 0.8)
    red = page.get_by_role("button", name="Show where red, #c1121f is")
    expect(red).to_have_attribute("aria-pressed", "true")
    shade = """(mark) => [...mark.getContext("2d", { willReadFrequently: true })
        .getImageData(mark.width / 2, 0, 1, mark.height).data]"""
    column = page.locator("#mark").evaluate(shade)[3::4]
    assert column[-1] == 0 and column[len(column) // 2] > 100
    typed = page.get_by_label("New color, typed")
    typed.fill("plaid")
    typed.press("Enter")
    expect(page.locator("[data-field=assign]")).to_contain_text("“plaid” is not a color")
    typed.fill("0b4f5c")
    typed.press("Enter")
    expect(red).to_have_attribute("aria-pressed", "false")
    gives(("assign", "#c1121f=#0b4f5c"))
    page.get_by_label("New color", exact=True).fill("#7b2cbf")
    gives(("assign", "#c1121f=#7b2cbf"))

    # By the keyboard alone: another color, its lock, and an exchange of two.
    page.get_by_role("button", name="Undo the color of red").press("Enter")
    gives()
    rows.nth(2).locator(".target").press("Enter")
    page.locator("#from-poster button").first.press("Space")
    gives(("assign", "#d6a56f=#7fb2dd"))
    page.get_by_role("button", name="Lock tan").press("Enter")
    gives(("lock", "#d6a56f"))
    page.get_by_role("button", name="Exchange with #c1121f").press("Enter")
    gives(("assign", "#d6a56f=#c1121f"), ("assign", "#c1121f=#d6a56f"))

    page.locator("#undo").click()
    page.locator("#undo").click()
    from_place, to_place = (rows.nth(row).locator(".target").bounding_box() for row in (0, 1))
    page.mouse.move(from_place["x"] + 9, from_place["y"] + 9)
    page.mouse.down()
    page.mouse.move(to_place["x"] + 9, to_place["y"] + 9, steps=4)
    page.mouse.up()
    gives(
        ("assign", "#d6a56f=#7fb2dd"), ("assign", "#7fb2dd=#c1121f"), ("assign", "#c1121f=#7fb2dd")
    )
    page.get_by_role("button", name="Free").click()
    expect(rows).to_have_count(0)
    gives(("palette", "none"))


def test_paper_and_skin_have_locks_of_their_own(visit, served, tmp_path):
    poster = Image.fromarray(samples.astronaut())
    poster.paste("white", (0, 0, 150, 512))
    poster.save(tmp_path / "astronaut.png")
    data = (tmp_path / "astronaut.png").read_bytes()
    seen = visit()
    seen.choose(tmp_path / "astronaut.png")
    seen.page.locator("#suggestions button").nth(1).click()
    palette = ("palette", seen.page.locator("#suggestions [aria-pressed=true]").inner_text())
    for part, locks in {"Skin of faces": ["neutrals"], "Paper and white letters": ["none"]}.items():
        lock = seen.page.get_by_role("button", name=f"Lock {part}")
        expect(lock).to_have_attribute("aria-pressed", "true")
        lock.click()
        seen.wait()
        given = [("lock", lock) for lock in locks]
        assert seen.download()[1] == recolored(served, data, palette, *given)


def test_everything_is_undone_and_redone_and_the_original_and_each_pixel_are_seen(
    visit, served, old_posters
):
    seen, data = visit(), old_posters[0].read_bytes()
    page = seen.page
    seen.choose(old_posters[0])
    expect(page.locator("#undo")).to_be_disabled()
    for strength in (0.6, 0.5):  # One step: it is the same slider.
        seen.slide("Strength", strength)
    page.get_by_role("button", name="Best-fitting scheme").click()
    page.get_by_role("button", name="Add by keyboard").click()
    page.locator("#swatches .lock").first.click()
    page.get_by_role("button", name="Reset all").click()
    steps = [
        [("strength", "0.5"), ("palette", "auto"), ("hint", "50%,25%=#c1121f")],
        [("strength", "0.5"), ("palette", "auto")],
        [("strength", "0.5")],
        [],
    ]
    page.keyboard.press("Control+z")
    for options in steps:
        page.keyboard.press("Control+z")
        seen.wait()
        assert seen.download()[1] == recolored(served, data, *options)
    expect(page.locator("#undo")).to_be_disabled()
    expect(page.locator(".ring")).to_have_count(0)
    page.keyboard.press("Control+Shift+Z")
    page.locator("#redo").click()
    seen.wait()
    assert seen.download()[1] == recolored(served, data, *steps[1])
    seen.slide("Strength", 0.25)
    expect(page.locator("#redo")).to_be_disabled()
    seen.wait()

    after = page.locator("#after")
    page.locator("#divider").press("Home")
    page.keyboard.down("o")
    expect(after).to_be_hidden()
    page.keyboard.up("o")
    expect(after).to_be_visible()
    page.locator("#original").hover()
    page.mouse.down()
    expect(after).to_be_hidden()
    page.mouse.up()
    expect(after).to_be_visible()


def test_a_poster_is_zoomed_to_its_pixels_and_panned(visit, tmp_path):
    Image.effect_noise((3000, 2400), 50).convert("RGB").save(tmp_path / "large.jpg")
    seen = visit()
    seen.choose(tmp_path / "large.jpg")
    page, screen = seen.page, seen.page.locator("#screen")
    page.get_by_role("button", name="100 %").click()
    seen.wait()
    width, shown = page.locator("#after").evaluate("it => [it.naturalWidth, it.clientWidth]")
    assert (width, shown) == (3000, 3000)
    place = "it => [it.scrollLeft, it.scrollTop]"
    left, top = screen.evaluate(place)
    assert left > 1000 and top > 800
    box = screen.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 80, steps=3)
    page.mouse.up()
    assert screen.evaluate(place) == pytest.approx([left + 60, top + 20], abs=1)
    page.get_by_role("button", name="100 %").press("Enter")
    assert page.locator("#frame").bounding_box()["width"] < 1000


def test_palettes_are_schemes_typed_colors_and_other_posters(visit, served, old_posters):
    seen, data = visit(), old_posters[0].read_bytes()
    page = seen.page
    seen.choose(old_posters[0])

    seen.open("All color schemes")
    page.locator("#schemes").get_by_role("button", name="blue and orange", exact=True).click()
    seen.wait()
    assert seen.download()[1] == recolored(served, data, ("palette", "blue and orange"))
    page.get_by_role("button", name="Free").click()
    seen.wait()
    assert seen.download()[1] == recolored(served, data, ("palette", "none"))

    seen.open("Your own colors")
    typed = page.get_by_label("Or type them")
    typed.fill("#0b3c5d,lilac")
    typed.press("Enter")
    fault = page.locator("[data-field=typed]")
    expect(fault).to_contain_text("lilac")
    typed.fill("#0b3c5d,orange:3")
    typed.press("Enter")
    seen.wait()
    expect(fault).to_be_hidden()
    assert seen.download()[1] == recolored(served, data, ("palette", "#0b3c5d,orange:3"))
    expect(page.get_by_label("Color 2", exact=True)).to_have_value("#ffa500")
    page.get_by_label("Color 2", exact=True).fill("#c1121f")
    page.get_by_role("button", name="Add a color").click()
    page.get_by_label("Color 3: weight").fill("2")
    page.get_by_role("button", name="Remove Color 1").click()
    seen.wait()
    expect(typed).to_have_value("#c1121f:3,#e9c46a:2")
    assert seen.download()[1] == recolored(served, data, ("palette", "#c1121f:3,#e9c46a:2"))

    seen.open("Colors of another poster")
    seen.drop({"other.jpg": b"nothing"}, onto="#donor")
    expect(page.locator("[data-field=donor]")).to_contain_text("not an image")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a poster", exact=True).click()
    chooser.value.set_files(old_posters[1])
    expect(page.locator("#donor-name")).to_have_text(old_posters[1].name)
    seen.wait()
    expect(typed).to_have_value("")
    answer = served.ask("POST", "/pictures", old_posters[1].read_bytes())[2]
    other = json.loads(answer)["id"]
    assert seen.download()[1] == recolored(served, data, ("palette", other))


def test_hints_are_placed_by_clicks_fields_and_keys(visit, served, old_posters):
    seen, data = visit(), old_posters[0].read_bytes()
    page = seen.page
    seen.choose(old_posters[0])
    place = page.get_by_role("button", name="Click into the poster")
    place.click()
    page.locator("#hint-color").fill("#2a9d8f")
    seen.click(0.25, 0.75)
    x, y = (page.get_by_label(f"Hint 1: {axis} in per cent") for axis in "xy")
    assert [round(float(field.input_value())) for field in (x, y)] == [25, 75]
    x.fill("30")
    y.fill("70.5")
    y.press("Enter")
    seen.wait()
    assert seen.download()[1] == recolored(served, data, ("hint", "30%,70.5%=#2a9d8f"))

    page.keyboard.press("Escape")
    expect(place).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Add by keyboard").click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    page.get_by_label("Hint 2: gray").check()
    seen.wait()
    hints = [("hint", "30%,70.5%=#2a9d8f"), ("hint", "49%,30%=neutral")]
    assert seen.download()[1] == recolored(served, data, *hints)

    page.get_by_role("button", name="Remove Hint 1").click()
    page.locator(".ring").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".ring")).to_have_count(0)
    seen.wait()
    assert seen.download()[1] == recolored(served, data)


def test_sliders_answer_at_once_and_the_newest_wins(visit, served, old_posters):
    seen, data = visit(), old_posters[0].read_bytes()
    page = seen.page
    seen.choose(old_posters[0])
    expect(page.locator("#suggestions img[src]")).to_have_count(6)
    before = len(seen.asked("recolored"))
    strength = seen.slider("Strength")
    # At once: the test might be slower than the pause after which a preview is asked for.
    strength.evaluate("""(slider) => {
        for (let value = 0; value < 20; value++) {
            slider.value = value / 20;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }
    }""")
    expect(strength).to_have_attribute("aria-valuetext", "95 %")
    seen.wait()
    asked = seen.asked("recolored")[before:]
    assert len(asked) < 4 and asked[-1]["strength"] == "0.95"

    seen.slide("Vividness", 0.5)
    seen.slide("How much of its age to take away", 0.25)
    seen.open("Advanced")
    seen.slide("Temperature", -1)
    seen.wait()
    wanted = {"strength": 0.95, "vividness": 0.5, "restore": 0.25, "temperature": 0.1}
    assert seen.download()[1] == recolored(served, data, *wanted.items())

    page.get_by_role("button", name="Reset: Strength").click()
    expect(strength).to_be_focused()
    seen.wait()
    assert "strength" not in seen.asked("recolored")[-1]
    page.get_by_role("button", name="Reset all").click()
    seen.wait()
    assert seen.download()[1] == recolored(served, data)


def test_what_restoring_found_is_said_and_a_margin_can_be_cut_off(
    visit, served, old_posters, tmp_path
):
    seen = visit()
    page, found = seen.page, seen.page.locator("#found")
    seen.choose(old_posters[0])
    expect(found).to_contain_text("Found: yellowed paper")
    expect(page.get_by_label("Cut off the scan's margin")).to_be_hidden()
    with Image.open(old_posters[0]) as poster:
        poster.load()
        scan = ImageOps.expand(poster, poster.width // 10, "#808080")
    scan.save(tmp_path / "scan.png")
    seen.choose(tmp_path / "scan.png")
    page.get_by_label("Cut off the scan's margin").check()
    seen.wait()
    with Image.open(io.BytesIO(seen.download()[1])) as cut:
        assert abs(cut.width - poster.width) <= 4 and abs(cut.height - poster.height) <= 4
    poster.convert("L").convert("RGB").save(tmp_path / "gray.png")
    seen.choose(tmp_path / "gray.png")
    expect(found).to_have_text("A gray poster.")


@pytest.mark.slow
def test_several_posters_have_the_same_settings_and_come_in_one_archive(visit, served, old_posters):
    files = {name: old_posters[number].read_bytes() for number, name in enumerate(
        ("same.jpg", "Кино é.jpg", "gray.png"))}  # fmt: skip
    gray = io.BytesIO()
    Image.open(old_posters[2]).convert("L").save(gray, "PNG")
    files["gray.png"] = gray.getvalue()
    seen = visit()
    page = seen.page
    seen.drop(files)
    seen.drop({"same.jpg": old_posters[3].read_bytes()})
    expect(page.locator("#strip img:visible")).to_have_count(4)
    seen.wait()
    page.locator("#strip").get_by_role("button", name="gray.png").first.click()
    expect(page.locator("#words [data-palette=source]")).to_be_disabled()
    seen.slide("Strength", 0.5)
    page.get_by_role("button", name="Best-fitting scheme").click()
    seen.wait()
    page.get_by_role("button", name="Apply to all").click()
    expect(page.locator("#caption")).to_have_text("3 posters go with gray.png now.")
    # All get the scheme that fits this one.
    _, headers, _ = served.ask("POST", "/recolor?palette=auto", files["gray.png"])
    options = ("palette", unquote(headers["recolor-palette"])), ("strength", "0.5")
    name, data = seen.download("All as ZIP")
    expect(page.locator("#caption")).to_have_text("4 of 4 posters are downloaded.")
    sources = [*files.values(), old_posters[3].read_bytes()]
    names = ["same", "Кино é", "gray", "same"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert name == "recolored.zip" and archive.testzip() is None
        assert archive.namelist() == [
            "same-recolored.jpg",
            "Кино é-recolored.jpg",
            "gray-recolored.png",
            "same-recolored-2.jpg",
        ]
        for entry, source in zip(archive.namelist(), sources, strict=True):
            assert archive.read(entry) == recolored(served, source, *options), names

    page.get_by_role("button", name="Remove gray.png").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#strip li")).to_have_count(3)
    expect(page.locator("#strip [aria-current=true]")).to_be_focused()


def test_what_has_one_color_in_all_posters_gets_one_color(visit, served, tmp_path):
    """What was done to one can be undone and changed in each, and outlives a reload."""
    files = {}
    for name, colors in {"one": ("#c1121f", "#1d3557"), "two": ("#b91a24", "#264653"),
                         "dark": ("#5c0f0f", "#10304a")}.items():  # fmt: skip
        poster = Image.new("RGB", (200, 300), colors[0])
        poster.paste(colors[1], (0, 200, 200, 300))
        poster.save(tmp_path / f"{name}.png")
        files[name] = (tmp_path / f"{name}.png").read_bytes()
    keys = {name: json.loads(served.ask("POST", "/pictures", data)[2])["id"]
            for name, data in files.items()}  # fmt: skip
    seen = visit()
    page, strip = seen.page, seen.page.locator("#strip")
    seen.choose(*sorted(tmp_path.iterdir(), key=lambda file: file.stem != "one"))
    expect(strip.locator("img:visible")).to_have_count(3)
    seen.slide("How much of its age to take away", 0)
    seen.wait()
    page.locator("#swatches .target").first.click()
    page.get_by_label("New color, typed").fill("#f28c28")
    page.get_by_label("New color, typed").press("Enter")
    page.locator("#swatches .lock").nth(1).click()
    seen.wait()
    page.get_by_role("button", name="Apply to all").press("Enter")
    expect(page.locator("#caption")).to_have_text("2 posters go with one.png now.")

    here = [("restore", 0), ("assign", "#c1121f=#f28c28"), ("lock", "#1d3557")]
    guide = served.ask("GET", f"/pictures/{keys['one']}/recipe?{urlencode(here)}")[2]
    options = {"one": here}
    for name in ("two", "dark"):
        answer = json.loads(served.ask("POST", f"/pictures/{keys[name]}/series", guide)[2])
        assert ("assign" in answer["query"]) == (name == "two")
        options[name] = [(key, text) for key, value in answer["query"].items()
                         for text in (value if isinstance(value, list) else [value])]  # fmt: skip
    wanted = {name: recolored(served, files[name], *options[name]) for name in files}
    with zipfile.ZipFile(io.BytesIO(seen.download("All as ZIP")[1])) as archive:
        for name, result in wanted.items():
            assert archive.read(f"{name}-recolored.png") == result, name
    _, sheet = seen.download("Contact sheet as PNG")
    with Image.open(io.BytesIO(sheet)) as drawn:
        assert drawn.width > 1500
    name, sheet = seen.download("As PDF")
    assert name == "recolored.pdf" and sheet.startswith(b"%PDF")

    strip.get_by_role("button", name="two.png").first.click()
    seen.wait()
    page.locator("#undo").click()
    seen.wait()
    assert seen.download()[1] == recolored(served, files["two"])
    page.locator("#redo").click()
    seen.slide("Strength", 0.5)
    page.wait_for_timeout(1000)  # It is stored after a pause of a fifth of that.
    page.reload()
    expect(strip.locator("img:visible")).to_have_count(3)
    strip.get_by_role("button", name="two.png").first.click()
    seen.wait()
    changed = recolored(served, files["two"], *options["two"], ("strength", 0.5))
    assert seen.download()[1] == changed


def test_what_takes_long_says_how_far_it_is_and_can_be_cancelled(visit, served, tmp_path):
    """By the keyboard alone; the server keeps nothing of it, and the console stays silent."""

    def metrics() -> list[str]:
        said = served.ask("GET", "/metrics")[2].decode()
        return re.findall("^recolor_(?:requests_inside|kept_bytes) .*", said, re.MULTILINE)

    for name in "abc":
        Image.effect_noise((900, 900), 99).save(tmp_path / f"{name}.png")
    seen, said, before = visit(), [], metrics()
    page, works, tiles = seen.page, seen.page.locator("#works"), seen.page.locator("#strip li")
    page.on("console", lambda message: said.append(message.text))
    network = seen.context.new_cdp_session(page)

    def slow(**bytes_per_second: int) -> None:
        network.send("Network.emulateNetworkConditions", {
            "offline": False, "latency": 0, "uploadThroughput": -1, "downloadThroughput": -1,
            **bytes_per_second})  # fmt: skip

    slow(uploadThroughput=60_000)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose posters").click()
    chooser.value.set_files(sorted(tmp_path.iterdir()))
    expect(works).to_contain_text("Sending poster 1 of 3")
    expect(tiles.first).to_contain_text(re.compile(r"uploading [1-9]\d*\s%"))
    expect(page.get_by_role("progressbar", name=re.compile("^a.png: uploading"))).to_be_visible()
    expect(tiles.nth(1)).to_contain_text("waiting")
    check_access(page)
    page.get_by_role("button", name="Cancel a.png").press("Enter")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_contain_text(re.compile(r"uploading \d+\s%"))
    page.get_by_role("button", name="Cancel all").press("Enter")
    expect(page.get_by_role("button", name="Choose posters")).to_be_focused()
    expect(tiles).to_have_count(0)
    expect(works).to_be_hidden()
    assert metrics() == before

    slow()
    seen.choose(tmp_path / "a.png")
    slow(downloadThroughput=60_000)
    download = page.get_by_role("button", name="Download")
    download.press("Enter")
    expect(works).to_contain_text("Recoloring a.png at its full size")
    page.get_by_role("button", name="Cancel: Recoloring").press("Enter")
    expect(page.locator("#caption")).to_have_text("Cancelled.")
    expect(download).to_be_focused()
    slow()
    assert seen.download()[0] == "a-recolored.png"
    assert said == []


def test_what_can_not_be_used_is_said_and_the_rest_goes_on(visit, old_posters):
    seen = visit()
    page = seen.page
    seen.drop({"letter.jpg": b"not a picture"})
    refused = "letter.jpg: not an image, or of an unknown format"
    expect(page.locator("#refused")).to_have_text(refused)
    seen.choose(old_posters[0])
    seen.drop({"broken.jpg": old_posters[1].read_bytes()[:2000]})
    tile = page.locator("#strip li", has_text="broken.jpg")
    expect(tile.get_by_role("alert")).to_be_visible()

    sent = len(seen.requests)
    page.evaluate("""() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(65 * 2 ** 20)], "huge.tif"));
        dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
    }""")
    huge = page.locator("#strip li", has_text="huge.tif").get_by_role("alert")
    expect(huge).to_have_text("65 MB is too large: this server takes 64 MB at most")
    assert not any(url.endswith("/pictures") for url in seen.requests[sent:])

    page.locator("#strip button.thumb").nth(1).click()
    seen.wait()
    assert seen.download()[0].startswith(old_posters[0].stem)


@pytest.mark.slow
def test_a_large_picture(visit, served, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2500, 4000, 3), np.uint8)
    file = tmp_path / "large.bmp"
    Image.fromarray(noise).save(file)
    assert file.stat().st_size > 30e6
    seen = visit()
    seen.choose(file)
    expect(seen.page.locator("#caption")).to_contain_text("large.bmp, 4000 ")
    shown = seen.page.locator("#after").evaluate("image => image.naturalWidth")
    assert 800 <= shown <= 1600


def test_two_users_do_not_get_into_each_others_way(visit, served, old_posters):
    seen = [visit(), visit()]
    for each, poster in zip(seen, old_posters, strict=False):
        each.drop({poster.name: poster.read_bytes()})
    for number, each in enumerate(seen):
        each.slide("Strength", (number + 1) / 4)
    for number, (each, poster) in enumerate(zip(seen, old_posters, strict=False)):
        each.wait()
        strength = ("strength", str((number + 1) / 4))
        assert each.download()[1] == recolored(served, poster.read_bytes(), strength)


def test_a_reload_keeps_everything_also_under_a_path_of_a_proxy(visit, served, old_posters):
    seen, data = visit(), old_posters[0].read_bytes()
    page, path = seen.page, f"{served.url}/posters/desk/"
    seen.context.route(f"{path}**", lambda route: route.continue_(
        url=route.request.url.replace(path, f"{served.url}/")))  # fmt: skip
    page.goto(path)
    seen.choose(*old_posters[:2])
    expect(page.locator("#strip img:visible")).to_have_count(2)
    seen.drop({"other.jpg": old_posters[2].read_bytes()}, onto="#donor")
    expect(page.locator("#donor-name")).to_have_text("other.jpg")
    seen.slide("Strength", 0.5)
    page.get_by_role("button", name="Add by keyboard").click()
    seen.wait()
    result = seen.download()[1]
    page.wait_for_timeout(1000)  # It is stored after a pause of a fifth of that.

    page.reload()
    expect(page.locator("#strip img:visible")).to_have_count(2)
    seen.wait()
    expect(page.locator("#donor-name")).to_have_text("other.jpg")
    seen.open("Colors of another poster")
    expect(page.locator("#donor-picture")).to_be_visible()
    assert seen.download()[1] == result
    for _ in range(3):
        page.locator("#undo").click()
    seen.wait()
    assert seen.download()[1] == recolored(served, data)
    for _ in range(2):
        page.get_by_role("button", name="Remove the poster").click()
    expect(page.get_by_role("button", name="Choose posters")).to_be_focused()
    page.reload()
    expect(page.locator("#about")).to_contain_text("Restored and recolored")
    expect(page.get_by_role("button", name="Choose posters")).to_be_visible()


def test_a_result_gives_its_settings_to_a_poster(visit, served, old_posters):
    """Also one that is dropped before its poster, and one as JSON; a broken one is said."""
    data, other = (file.read_bytes() for file in old_posters[:2])
    options = [("palette", "#0b4f5c,#f28c28"), ("strength", 0.8), ("hint", "50%,20%=#c1121f"),
               ("lock", "skin"), ("restore", 0.5)]  # fmt: skip
    result = recolored(served, data, *options)
    seen = visit()
    page = seen.page
    seen.drop({"result.jpg": result})
    expect(page.locator("#refused")).to_contain_text("Drop the poster that is to have them.")
    seen.drop({"poster.jpg": data})
    seen.wait()
    assert seen.download()[1] == result
    expect(page.get_by_label("Lock Skin of faces")).to_have_attribute("aria-pressed", "true")
    page.locator("#undo").click()
    seen.wait()
    assert seen.download()[1] == recolored(served, data)

    donor = json.loads(served.ask("POST", "/pictures", other)[2])["id"]
    # With a lock of a color, paper and skin are locked by default.
    options = [("palette", donor), ("assign", "#f2c14e=#8c2f39"), ("lock", "#2a9d8f")]
    result = recolored(served, data, *options)
    seen.drop({"result.jpg": result})
    expect(page.locator("#donor-name")).to_contain_text("those of another picture")
    seen.wait()
    assert seen.download()[1] == result
    seen.drop({"recipe.json": b'{"format": 1, "options": {"palette": "none"}}'})
    expect(page.locator("#donor-name")).to_have_text("Drop it here, or choose it.")
    seen.wait()
    assert seen.download()[1] == recolored(served, data, ("palette", "none"))
    seen.drop({"recipe.json": b'{"format": 2}'})
    expect(page.locator("#fault")).to_contain_text("recipe.json: a recipe of format 2")


def test_a_proof_shows_the_print_marks_what_can_not_be_printed_and_survives_a_reload(
    visit, served, tmp_path
):
    poster = Image.new("RGB", (400, 600), "#808080")
    poster.paste("#ff0000", (0, 0, 400, 150))
    poster.save(tmp_path / "flag.png")
    data = (tmp_path / "flag.png").read_bytes()
    plain = recolored(served, data)
    seen = visit()
    page, caption = seen.page, seen.page.locator("#caption")
    seen.choose(tmp_path / "flag.png")

    def row(y: int) -> np.ndarray:
        """A row of pixels of the result, as it is shown."""
        seen.wait()
        pixels = page.locator("#after").evaluate(
            """(image, y) => {
                const brush = new OffscreenCanvas(image.naturalWidth, 1).getContext("2d");
                brush.drawImage(image, 0, -y);
                return [...brush.getImageData(0, 0, image.naturalWidth, 1).data];
            }""",
            y,
        )
        return np.reshape(pixels, (-1, 4))[:, :3]

    printable = row(400)
    assert row(75).mean(axis=0) == pytest.approx((255, 0, 0), abs=12)
    page.keyboard.press("p")
    expect(caption).to_contain_text("; 25 % can't be printed")
    # The printer's inks leave a twentieth of the light that they take.
    assert row(75).mean(axis=0) == pytest.approx((255, 63, 63), abs=12)
    page.keyboard.press("g")
    expect(page.get_by_label("Mark what can't be printed")).to_be_checked()
    expect(caption).to_contain_text("25 % can't be printed")
    assert row(75).std(axis=0)[1] > 60 and row(75)[:, 2].max() < 80
    assert np.abs(row(400) - printable).max() < 12
    # Downloads are not proofs.
    assert seen.download()[1] == plain

    page.get_by_label("Colors that can't be printed", exact=True).select_option("perceptual")
    page.get_by_label("Black point compensation").press("Space")
    seen.wait()
    told = {"proof": "test", "intent": "perceptual", "black_point": "false", "marks": "true"}
    assert told.items() <= seen.asked("recolored")[-1].items()
    page.reload()
    seen.wait()
    assert told.items() <= seen.asked("recolored")[-1].items()
    page.get_by_role("button", name="Proof").press("Enter")
    expect(caption).not_to_contain_text("printed")
    seen.wait()
    assert not told.keys() & seen.asked("recolored")[-1].keys()
    expect(page.locator("#undo")).to_be_disabled()

    key = json.loads(served.ask("POST", "/pictures", data)[2])["id"]
    for asked, words in {
        "proof=other&side=400": "'other' is not among the profiles: 'test'",
        "proof=test": "a proof is a preview: give its side, too",
        "proof=test&side=400&intent=saturation": "'relative' or 'perceptual'",
    }.items():
        status, _, answer = served.ask("GET", f"/pictures/{key}/recolored?{asked}")
        assert status == 422 and words in json.loads(answer)["error"]


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_use_it(visit, old_posters, screen):
    seen = visit(viewport=screen)
    check_access(seen.page)
    seen.choose(*old_posters[:2])
    seen.drop({"letter.jpg": b"not a picture"})
    expect(seen.page.locator("#strip li")).to_have_count(3)
    seen.page.locator("#strip button.thumb").first.click()
    for title in ("All color schemes", "another poster", "Your own colors", "Advanced"):
        seen.open(title)
    seen.page.get_by_role("button", name="Add a color").click()
    seen.page.get_by_role("button", name="Add by keyboard").click()
    seen.page.locator("#suggestions button").nth(1).click()
    seen.page.locator("#swatches .target").first.click()
    seen.page.locator("#swatches .own").nth(1).click()
    seen.page.get_by_label("Mark what can't be printed").check()
    seen.wait()
    expect(seen.page.locator("#suggestions img[src]")).to_have_count(6)
    expect(seen.page.locator("#from-palette button").first).to_be_visible()
    check_access(seen.page)
    for size in (screen, WIDE):
        seen.page.set_viewport_size(size)
        assert seen.page.evaluate("document.documentElement.scrollWidth") == size["width"]


def check_access(page: "Page") -> None:
    """Check by axe-core, light and dark, and that everything is large enough to be hit."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        said = [
            (fault["id"], fault["impact"], [node["html"] for node in fault["nodes"]])
            for fault in found
        ]
        assert said == [], scheme
    for target in page.locator("button:visible, input:visible, summary:visible").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24, target.evaluate("node => node.outerHTML")


@pytest.mark.slow
def test_no_palettes_by_a_regression_and_patience_with_its_server(
    visit, forge, old_posters, tmp_path
):
    options = ("--model", "regression", "--threads", "1", "--queue", "0")
    with Served(forge, tmp_path, *options) as server:
        seen, data = visit(server), old_posters[0].read_bytes()
        page = seen.page
        seen.choose(old_posters[0])
        for name in ("Colors", "Hints"):
            expect(page.get_by_role("heading", name=name)).to_be_hidden()
        expect(page.locator("#suggestions button:visible")).to_have_count(0)
        expect(seen.slider("Strength")).to_have_count(0)
        seen.slide("Vividness", 0.4)
        seen.wait()
        assert seen.download()[1] == recolored(server, data, ("vividness", "0.4"))

        # A large picture takes the only place.
        large = io.BytesIO()
        Image.effect_noise((4000, 6000), 50).save(large, "JPEG")
        other = http.client.HTTPConnection(urlsplit(server.url).netloc)
        other.request("POST", "/recolor", large.getvalue())
        while b"recolor_requests_inside 1.0" not in server.ask("GET", "/metrics")[2]:
            time.sleep(0.02)
        seen.slide("Vividness", 0.5)
        trouble = page.locator("#trouble")
        expect(trouble).to_contain_text("The server is busy. Trying again in 1 s")
        other.getresponse().read()
        seen.wait()
        expect(trouble).to_be_hidden()

        server.end(signal.SIGKILL)
        seen.slide("Vividness", 0.6)
        expect(trouble).to_contain_text("The server does not answer")
    with Served(forge, tmp_path, *options, "--port", str(server.port)) as server:
        # It has never seen the picture.
        expect(trouble).to_be_hidden()
        seen.wait()
        assert seen.download()[1] == recolored(server, data, ("vividness", 0.6))
