"""Make the README's picture of the page: python tests/page_screenshot.py docs/page.jpg

It needs Chromium, as `tests/test_page.py` does. Letters are in the machine's own font: that of
docs/page.jpg is Inter (Debian's fonts-inter, named `system-ui` in fontconfig's settings).
"""

import io
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from forge import Forge
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from served import Served
from test_page import FLAGS, Visit, chromium

from recolor.datasets.demo_posters import generate_demo_posters


def screenshot() -> Image.Image:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Forge()) as forge,
        sync_playwright() as playwright,
    ):
        posters = sorted(generate_demo_posters(Path(folder, "posters"), 12, "old", seed=1))
        server = Served(forge, Path(folder, "posters"), "--model", "unet")
        posters.sort(key=lambda poster: not poster.stem.startswith("sea"))
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        visit = Visit(browser, server, color_scheme="dark")
        visit.choose(*posters[:6])
        expect(visit.page.locator("#suggestions img[src]")).to_have_count(6)
        visit.page.locator("#suggestions button").nth(2).click()
        visit.wait()
        visit.page.mouse.move(0, 0)
        taken = visit.page.screenshot()
        browser.close()
    return Image.open(io.BytesIO(taken)).convert("RGB")


if __name__ == "__main__":
    screenshot().save(sys.argv[1], quality=84, optimize=True)
