"""`recolor serve --compare`: blind judging, on the page and over HTTP, and the file of votes."""

import csv
import io
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from served import Served
from starlette.testclient import TestClient
from test_page import DESKTOP, EXPECTED, PATIENCE, PHONE, browser, check_access

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.models.restoring import Restorer
from recolor.platform.cli.main import main
from recolor.platform.server.compare import Candidate, Comparison, comparing_application
from recolor.platform.server.limits import Limits
from recolor.platform.server.votes import COLUMNS, LEFT, RIGHT, SAME, Tally, Votes, VotesError

try:
    from playwright.sync_api import Page, expect
except ImportError:
    Page = object

# A fixture that is taken from another file.
__all__ = ["browser"]

SETTINGS = {"soft.json": {"strength": 0.3}, "strong.json": {"strength": 1.0}}
HEADER = ",".join(COLUMNS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two recipes, a folder of three posters, and a file that is none."""
    folder = tmp_path_factory.mktemp("compare")
    list(generate_demo_posters(folder / "posters", 3, "old", seed=1))
    (folder / "broken.jpg").write_text("no picture")
    for name, options in SETTINGS.items():
        recipe = {"format": 1, "options": {"palette": "teal,orange", **options}}
        (folder / name).write_text(json.dumps(recipe))
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def differ(data: bytes, picture: Image.Image) -> float:
    """The mean difference between the pixels of a file and of a picture."""
    shown = Image.open(io.BytesIO(data))
    return float(np.abs(np.subtract(shown, picture, dtype=float)).mean())


class TestVotes:
    def test_they_are_kept_and_counted(self, tmp_path):
        file = tmp_path / "made" / "votes.csv"
        votes = Votes(file)
        votes.add("Ana", "=a,b.jpg", "A", "B", LEFT)
        votes.add("Ana", "c.jpg", "B", "A", RIGHT)
        votes.add("Ben", "c.jpg", "A", "B", SAME)
        votes.add("Ben", "d.jpg", "A", "B", RIGHT)
        # Twice, as after a lost answer; and of another pair.
        votes.add("Ben", "d.jpg", "B", "A", RIGHT)
        votes.add("Ben", "d.jpg", "A", "C", RIGHT)
        assert [row["poster"] for row in rows(file)] == [
            "'=a,b.jpg",
            "c.jpg",
            "c.jpg",
            *["d.jpg"] * 2,
        ]
        for kept in (votes, Votes(file)):
            assert kept.has("Ana", "=a,b.jpg", "B", "A") and not kept.has("Ana", "d.jpg", "A", "B")
            assert Tally.of(kept, "A", "B") == Tally(("A", "B"), (2, 1), 1, 2, 3)

    def test_several_judges_at_once(self, tmp_path):
        votes = Votes(tmp_path / "votes.csv")
        posters = [f"{number}.jpg" for number in range(50)]

        def judge(name: str) -> None:
            for poster in posters:
                votes.add(name, poster, "A", "B", LEFT)

        with ThreadPoolExecutor() as threads:
            list(threads.map(judge, "abcd"))
        found = [(row["judge"], row["poster"]) for row in rows(tmp_path / "votes.csv")]
        assert sorted(found) == sorted((name, poster) for name in "abcd" for poster in posters)

    @pytest.mark.parametrize(
        ("content", "posters"),
        [
            (f"{HEADER}\n1,a,p,A,B,left\n1,a,q,A,B,ri", ["p"]),
            (f'{HEADER}\n1,a,p,A,B,left\n1,a,"q,', ["p"]),
            (f"{HEADER}\n1,a,p,A,B,left", ["p"]),
            (f"\ufeff{HEADER}\r\n1,a,p,A,B,left\r\nnote\r\n", ["p"]),
            (f"{HEADER}\n", []),
            ("", []),
        ],
        ids=["cut off", "cut off in a text", "no end of line", "spreadsheet", "none yet", "empty"],
    )
    def test_a_file_is_continued(self, tmp_path, content, posters):
        file = tmp_path / "votes.csv"
        file.write_text(content, encoding="utf-8", newline="")
        Votes(file).add("b", "new", "B", "A", SAME)
        found = [vote.poster for vote in Votes(file).between("A", "B")]
        assert sorted(found) == sorted(["new", *posters])

    @pytest.mark.parametrize("content", ["hello", "a,b\n1,2\n", HEADER, "\n", "\0\xff\n"])
    def test_another_file_is_left_alone(self, tmp_path, content):
        file = tmp_path / "notes.csv"
        file.write_text(content, encoding="latin-1")
        with pytest.raises(VotesError, match=r"notes.csv holds something else than votes"):
            Votes(file)
        assert file.read_text(encoding="latin-1") == content

    @pytest.mark.parametrize(
        ("wins", "ties", "p"), [((0, 0), 0, "1"), ((0, 0), 3, "1"), ((1, 9), 0, "0.021")]
    )
    def test_the_sign_test(self, wins, ties, p):
        lines = Tally(("A", "longer"), wins, ties, 2, 9).describe()
        assert lines[:2] == [f"A              {wins[0]:5d}", f"longer         {wins[1]:5d}"]
        assert lines[3].endswith(f"sign test: p = {p}")


class TestBlindness:
    @pytest.fixture
    def votes(self, tmp_path) -> Path:
        return tmp_path / "votes.csv"

    @pytest.fixture
    def comparison(self, folder, votes) -> Comparison:
        """Of how much is restored, for which no color network is needed."""

        def none():
            raise OSError("no network")

        painter = Painter(none, Restorer.bundled())
        candidates = tuple(
            Candidate(name, painter, Decoding(restore=restore))
            for name, restore in zip(SETTINGS, (0.0, 1.0), strict=True)
        )
        posters = {file.name: file for file in [*folder.glob("posters/*"), folder / "broken.jpg"]}
        return Comparison(candidates, posters, Votes(votes), Limits())

    @pytest.fixture
    def client(self, comparison):
        with TestClient(comparing_application(comparison, Limits()), "http://localhost") as client:
            yield client

    def test_what_is_shown_at_a_side_is_what_is_written(self, client, comparison, folder, votes):
        made_by = {candidate.name: candidate for candidate in comparison.candidates}

        def result(name: str, poster: str) -> Image.Image:
            picture = Image.open(folder / "posters" / poster).convert("RGB")
            return made_by[name].painter.recolor(picture, made_by[name].decoding)

        def picture(key: str, which: str):
            return client.get(f"/pairs/{key}/{which}", params={"judge": "ana"})

        state = client.get("/pairs", params={"judge": "ana"}).json()
        said, shown = [], []
        while key := state["pair"]:
            if (left := picture(key, LEFT)).status_code == 404:
                # The broken file.
                state = client.get("/pairs", params={"judge": "ana"}).json()
                continue
            right, source = picture(key, RIGHT), picture(key, "source")
            shown.append((left.content, right.content))
            said += [str(answer.headers) for answer in (left, right, source)]
            said.append(json.dumps(state))
            voted = {"judge": "ana", "pair": key, "choice": LEFT}
            state = client.post("/votes", params=voted).json()
        assert state == {"pair": None, "following": None, "done": 3, "of": 3}
        found = rows(votes)
        assert len(found) == len(shown) == 3
        # Another server, which has not met the broken file, goes on.
        posters = dict.fromkeys([*(row["poster"] for row in found), "new.jpg"], folder)
        again = Comparison(comparison.candidates, posters, Votes(votes), Limits())
        assert again.progress("ana")["done"] == 3 and again.progress("ben")["done"] == 0
        for row, (left, right) in zip(found, shown, strict=True):
            assert {row["left"], row["right"]} == set(SETTINGS)
            for side, data in ((LEFT, left), (RIGHT, right)):
                own, other = row[side], (set(SETTINGS) - {row[side]}).pop()
                distances = [differ(data, result(one, row["poster"])) for one in (own, other)]
                assert 3 * distances[0] < distances[1]
        names = "|".join([*SETTINGS, *(row["poster"] for row in found), "recipe", "classification"])
        assert not re.search(names, " ".join(said))
        assert all(b"xmp" not in data and b"xap" not in data for pair in shown for data in pair)

    def test_order_and_sides_are_drawn_for_each_judge_and_stay(self, comparison):
        drawn = [list(comparison.pairs(f"judge {number}").values()) for number in range(400)]
        assert drawn[0] == list(comparison.pairs("judge 0").values())
        poster = drawn[0][0].poster
        first = sum(pairs[0].poster == poster for pairs in drawn)
        left = sum(pairs[0].left is comparison.candidates[0] for pairs in drawn)
        assert 70 < first < 130 and 160 < left < 240

    def test_what_is_refused(self, client, votes):
        def told(answer) -> tuple:
            return answer.status_code, answer.json()["field"]

        key = client.get("/pairs", params={"judge": "ana"}).json()["pair"]
        for judge in ("", "=1+1", "a\nb", "x" * 41, "<b>"):
            assert told(client.get("/pairs", params={"judge": judge})) == (422, "judge")
        # Another judge's pair, another choice, another site.
        asked = {"judge": "ana", "pair": key, "choice": LEFT}
        for wrong, status in (({"judge": "ben"}, 404), ({"choice": "both"}, 422), ({"x": 1}, 422)):
            assert client.post("/votes", params={**asked, **wrong}).status_code == status
        elsewhere = {"Origin": "http://elsewhere.example"}
        assert client.post("/votes", params=asked, headers=elsewhere).status_code == 403
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 403
        assert client.get(f"/pairs/{key}/right", params={"judge": "ben"}).status_code == 404
        assert rows(votes) == []
        votes.unlink()
        votes.mkdir()
        answer = client.post("/votes", params=asked)
        assert answer.status_code == 500 and "tell who runs this server" in answer.json()["error"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--compare soft.json strong.json", "--compare needs posters: --posters FOLDER"),
        ("--compare none.json unet --posters posters", "none.json: can't be read: No such file"),
        ("--compare unet unnet --posters posters", "unnet is neither a file of weights nor one of"),
        ("--compare unet classification --posters nowhere", "nowhere: no such file or folder"),
        ("--compare unet unet --posters posters", "A and B are the same"),
        ("--compare unet", "Option '--compare' requires 2 arguments"),
        ("--compare unet soft.json --posters posters --votes soft.json", "something else than"),
        ("--compare unet soft.json --posters posters --votes posters", "'posters' is a directory"),
        ("--compare unet regression --posters posters --model unet", "--model is for recipes"),
        ("--compare soft.json strong.json --posters posters --recipe soft.json", "is for models"),
        ("--compare unet soft.json --posters posters --model unnet", "unnet is neither"),
        ("--votes votes.csv", "--posters, --votes and --recipe are for --compare"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(folder, monkeypatch, typed, said):
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, ["serve", "--port", "0", *typed.split()])
    assert result.exit_code in (1, 2)
    last = result.output.splitlines()[-1]
    assert last.startswith("Error: ") and said in last
    assert not Path("votes.csv").exists()


class Judge:
    """A judge's browser window; what went wrong in it is listed."""

    def __init__(self, browser, server: Served, **options):
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        self.faults = []
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda fault: self.faults.append(str(fault.error)))
        self.page: Page = self.context.new_page()
        self.page.goto(server.url)

    def _hear(self, message) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.faults.append(message.text)

    def begin(self, name: str) -> None:
        self.page.get_by_label("Your name or initials").fill(name)
        self.page.keyboard.press("Enter")

    def expect_pair(self, progress: str) -> list[list[int]]:
        """Wait for a pair; return what its versions look like."""
        expect(self.page.locator("#progress")).to_have_text(progress)
        expect(self.page.locator("#pair")).to_have_attribute("aria-busy", "false")
        expect(self.page.locator("#question")).to_be_focused()
        script = """(images) => images.map((image) => {
            const canvas = new OffscreenCanvas(8, 12).getContext("2d");
            canvas.drawImage(image, 0, 0, 8, 12);
            return [...canvas.getImageData(0, 0, 8, 12).data];
        })"""
        return self.page.locator("#left img, #right img").evaluate_all(script)


@pytest.mark.slow
def test_judges_vote_on_the_page(browser, forge, folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    options = ("--compare", *SETTINGS, "--model", "classification", "--posters", "posters")
    with Served(forge, tmp_path, *options) as server:
        ana, ben = Judge(browser, server), Judge(browser, server, viewport=PHONE)
        check_access(ana.page)
        ana.begin("Ana")
        shown = ana.expect_pair("1 of 3")
        assert shown[0] != shown[1]
        ana.page.reload()
        assert ana.expect_pair("1 of 3") == shown
        ana.page.keyboard.press("ArrowLeft")
        ana.expect_pair("2 of 3")
        ana.page.keyboard.press(" ")
        ana.expect_pair("3 of 3")

        # Without a name, and by fingers.
        ben.begin("")
        ben.expect_pair("1 of 3")
        check_access(ben.page)
        assert ben.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        ben.page.get_by_role("button", name="Right").click()
        ben.expect_pair("2 of 3")
        ana.page.keyboard.press("ArrowRight")
        expect(ana.page.locator("#thanks")).to_be_focused()
        check_access(ana.page)
        said = " ".join(judge.page.content() for judge in (ana, ben))
        found = rows(tmp_path / "votes.csv")
        assert not re.search("|".join([*SETTINGS, *(row["poster"] for row in found)]), said)
        server.end()
        *_, soft, strong, same, summary = server.said.splitlines()
    for judge in (ana, ben):
        judge.context.close()
        assert not judge.faults
    assert [row["choice"] for row in found] == [LEFT, SAME, RIGHT, RIGHT]
    assert [row["judge"] == "Ana" for row in found] == [True, True, False, True]
    for name, line in zip(SETTINGS, (soft, strong), strict=True):
        wins = sum(row.get(row["choice"]) == name for row in found)
        assert line.split() == [name, str(wins)]
    assert same.split() == ["no", "difference", "1"]
    assert summary.startswith("4 votes of 2 judges on 3 posters; two-sided sign test: p = ")
