"""From a swatch's new color to pixels on the page, in Chromium, which must be installed.

    python benchmarks/page_latency.py POSTER URL [URL ...] [--changes 60]

Each URL is of a running `recolor serve`. Servers of two versions take turns in one run.
"""

import argparse
import shutil
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

COLORS = ["#c1121f", "#0b4f5c", "#f77f00", "#7b2cbf", "#2a9d8f", "#e9c46a", "#1d3557", "#6a994e"]
# In it, posters get previews of 600 pixels.
WINDOW = {"width": 1280, "height": 700}
UNMEASURED = 5
# Gives a color, as the swatch's picker does, and returns the milliseconds until it is drawn: in the
# second frame after the answer was decoded.
CHANGE = """(color) => new Promise((resolve) => {
    const [picker, after] = ["swatch-color", "after"].map((id) => document.getElementById(id));
    let begun;
    const seen = new MutationObserver(async () => {
        seen.disconnect();
        await after.decode();
        requestAnimationFrame(() => requestAnimationFrame(() =>
            resolve(performance.now() - begun)));
    });
    seen.observe(after, { attributes: true, attributeFilter: ["src"] });
    picker.value = color;
    begun = performance.now();
    picker.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def opened(browser, url: str, poster: Path) -> Page:
    """Open the page with a poster."""
    page = browser.new_page(viewport=WINDOW)
    page.goto(url)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose posters").click()
    chooser.value.set_files(poster)
    settle(page)
    return page


def settle(page: Page) -> None:
    expect(page.locator("#after")).to_be_visible(timeout=60_000)
    expect(page.locator("#screen")).to_have_attribute("aria-busy", "false", timeout=60_000)


def choose_scheme(page: Page) -> None:
    page.locator("#suggestions button").nth(1).click()
    settle(page)


def edit_largest_swatch(page: Page) -> None:
    target = page.locator("#swatches .target").first
    if target.get_attribute("aria-expanded") != "true":
        target.click()


def report(pages: dict[str, Page], changes: int, colors: str) -> None:
    """Give the largest swatch of each page other colors, in turns, and print the times."""
    milliseconds = {url: [] for url in pages}
    for page in pages.values():
        edit_largest_swatch(page)
    for color in islice(cycle(COLORS), UNMEASURED + changes):
        for url, page in pages.items():
            milliseconds[url].append(page.evaluate(CHANGE, color))
            settle(page)
    for url, times in milliseconds.items():
        half, most = np.percentile(times[UNMEASURED:], [50, 95])
        print(f"{url}, {colors}: median {half:.0f} ms, 95 % {most:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("poster", type=Path)
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--changes", type=int, default=60)
    chosen = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        pages = {url: opened(browser, url, chosen.poster) for url in chosen.urls}
        report(pages, chosen.changes, "its own colors")
        for page in pages.values():
            choose_scheme(page)
        report(pages, chosen.changes, "a scheme")


if __name__ == "__main__":
    main()
