"""Names that a file system can't hold, or takes for others."""

import errno
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from recolor.datasets.file_names import (
    Sources,
    is_inside,
    reason_not_written,
    taken_for_others,
)
from recolor.platform.cli.main import main

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

NAMES = ["A.jpg", "a.jpg", "2001: x?.jpg", "two\nlines.jpg", "\udcff.jpg", "Deep/x.jpg"]
NAMES += ["deep/X.jpg", "what?/b.jpg", "é.jpg", "ok.jpg", "Before-After.png"]


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def exfat(tmp_path):
    """A disk as cameras and sticks have them."""
    if not (shutil.which("mkfs.exfat") and shutil.which("mount.exfat-fuse")):
        pytest.skip("needs exfatprogs and exfat-fuse")
    image, folder = tmp_path / "exfat.img", tmp_path / "stick"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    found = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True)
    device = found.stdout.strip()
    try:
        if (
            found.returncode
            or subprocess.run(["mount.exfat-fuse", device, folder], capture_output=True).returncode
        ):
            pytest.skip("needs the right to mount a file system")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
    finally:
        if device:
            subprocess.run(["losetup", "--detach", device], check=False)


@pytest.fixture
def pictures(posters, tmp_path):
    """A folder with one poster under all names."""
    for name in NAMES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(posters[0], tmp_path / "in" / name)
    return tmp_path / "in"


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_on_exfat_one_of_two_is_recolored_and_no_name_ends_the_run(pictures, exfat):
    out = exfat / "out"
    arguments = ["apply", pictures, "--out", out, "--sheet"]
    done = ["A.jpg", "Deep/x.jpg", "before-after.png", "ok.jpg", "é.jpg", "skipped.tsv"]
    for more in ([], ["--skip-existing"], ["--overwrite"]):
        result = run(*arguments, *more)
        assert result.exit_code == 3, result.output
        assert files(out) == sorted(done)
    table = (out / "skipped.tsv").read_text(errors="surrogateescape")
    reasons = dict(line.split("\t") for line in table.splitlines()[1:])
    taken, not_held = "can't be written: the file system there ", "holds no such name"
    assert reasons == {
        "a.jpg": f"{taken}takes its name for A.jpg",
        "deep/X.jpg": f"{taken}takes its name for Deep/x.jpg",
        "Before-After.png": f"{taken}takes its name for before-after.png",
        **dict.fromkeys(
            ("2001: x?.jpg", "two lines.jpg", "\udcff.jpg", "what?/b.jpg"),
            taken + not_held,
        ),
    }
    result = run("print", pictures, "--out", exfat / "print", "--dpi", 100)
    assert result.exit_code == 3, result.output
    assert files(exfat / "print") == ["A.pdf", "Before-After.pdf", "Deep/x.pdf", "ok.pdf", "é.pdf"]


def test_on_exfat_an_original_is_known_by_any_name(posters, exfat):
    shutil.copy(posters[0], exfat / "A.jpg")
    before = (exfat / "A.jpg").read_bytes()
    for command in (["apply", exfat / "a.jpg"], ["apply", exfat / "A.JPG", "--overwrite"]):
        assert "would be overwritten" in run(*command, "--out", exfat).output
    (exfat / "films").mkdir()
    shutil.copy(posters[0], exfat / "films" / "b.jpg")
    result = run("apply", exfat / "films", "--out", exfat / "FILMS" / "new")
    assert "would mix with the originals" in result.output
    assert (exfat / "A.jpg").read_bytes() == before


def test_where_letters_count_all_are_recolored(pictures, tmp_path):
    """And nothing is left of the trial."""
    out = tmp_path / "out"
    assert taken_for_others(out, [out / name for name in NAMES]) == {}
    assert not out.exists() and [file.name for file in tmp_path.iterdir()] == ["in"]
    result = run("apply", pictures, "--out", out)
    assert (result.exit_code, files(out)) == (0, sorted(NAMES))
    sources = Sources([tmp_path / "in" / "A.jpg"])
    assert tmp_path / "in" / "A.jpg" in sources and tmp_path / "in" / "a.jpg" not in sources
    assert is_inside(out / "x", out) and not is_inside(tmp_path / "OUT" / "x", out)


def test_what_a_network_drive_refuses_is_skipped(pictures, tmp_path, monkeypatch):
    """As SMB's and FAT's errors come where none of them can be mounted."""
    renamed = Path.replace

    def replace(self, target):
        if set(str(target)) & set("?\n\udcff"):
            raise OSError(errno.EINVAL, "Invalid argument", str(self), None, str(target))
        return renamed(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    result = run("apply", pictures, "--out", tmp_path / "out")
    assert result.exit_code == 3, result.output
    assert "skipped 2001: x?.jpg: can't be written: the file system there holds" in result.output
    assert files(tmp_path / "out") == sorted(
        name for name in NAMES if not set(name) & set("?\n\udcff")
    )


def test_what_all_results_would_share_ends_the_run(tmp_path):
    for error in (OSError(errno.ENOSPC, "No space left"), OSError(errno.EIO, "Input/output error")):
        with pytest.raises(OSError, match=error.strerror):
            reason_not_written(error, tmp_path)
    with pytest.raises(PermissionError):
        reason_not_written(PermissionError(errno.EACCES, "Permission denied"), Path("/proc/x"))
    reason = reason_not_written(OSError(errno.EISDIR, "Is a directory"), tmp_path)
    assert reason == "can't be written: Is a directory"
