"""Which model answers by default: the champion only if it beats the bundled network."""

import json
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace

import mlflow
import pytest
from click.testing import CliRunner
from conftest import check_imports, compared, own_store, store_in_use

from recolor.datasets.manifest import Manifest
from recolor.evaluation.answers import TOLD_PALETTE, MetricKey
from recolor.evaluation.tables import MAY_KNOW
from recolor.evaluation.validation import validate
from recolor.models import weights
from recolor.models.catalog import DEFAULT
from recolor.models.weights import pretrained_file
from recolor.platform.cli.main import main
from recolor.platform.registry import revalidation
from recolor.platform.registry.comparison import COMPARISON_TAG, Comparison, forget, shortfall
from recolor.platform.registry.model import load_model
from recolor.platform.registry.promotion import promote, rollback
from recolor.platform.registry.sources import find_weights
from recolor.platform.registry.tasks import RECOLORING, RESTORING
from recolor.platform.registry.versions import (
    MODEL_NAME,
    RegistryError,
    current_champion,
    find_champion,
    version_uri,
)
from recolor.platform.training.settings import Settings
from recolor.platform.training.tracked import train

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

NOT_COMPARED = f"was not compared with the bundled {DEFAULT}"


def run(*arguments: object) -> str:
    """What a command says; it succeeds."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def error(*arguments: object) -> str:
    """The one line that a command fails with."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 1, result.output
    (line,) = (line for line in result.output.splitlines() if line.startswith("Error: "))
    return line.removeprefix("Error: ")


@pytest.fixture
def classification(copied_store, trained) -> str:
    """The number of the champion, in a store of the test's own."""
    promote("l2_ab", trained.version, force=True)
    return trained.version


@pytest.fixture(scope="module")
def small_store(tiny, small_network, tmp_path_factory):
    """A store with a small regression, trained on a copy of `tiny`; and its training."""
    folder = tmp_path_factory.mktemp("small")
    data = Manifest.load(shutil.copytree(tiny.folder, folder / "data"))
    with own_store(folder / "store") as uri:
        trained = train(data, Settings("small", epochs=1, batch_size=8))
        yield uri, data, trained


@pytest.fixture
def small(small_store, tmp_path, monkeypatch):
    """Such a store of the test's own, in use; the data set and the version's number."""
    uri, data, trained = small_store
    shutil.copy(uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    with store_in_use(f"sqlite:///{tmp_path}/mlflow.db") as copied:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", copied)
        yield data, trained.version


@contextmanager
def moved(data: Manifest):
    """A data set's folder under another name for a while."""
    elsewhere = data.folder.with_name("elsewhere")
    data.folder.rename(elsewhere)
    try:
        yield elsewhere
    finally:
        shutil.rmtree(data.folder, ignore_errors=True)
        elsewhere.rename(data.folder)


class Bars:
    """Progress bars that remember what they are told."""

    def __init__(self):
        self.seen = []

    def __call__(self, total: int, label: str):
        self.seen.append([label, total, 0])
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self, count: int) -> None:
        self.seen[-1][-1] += count


def nothing_is_measured(monkeypatch) -> None:
    def measured(*_):
        raise AssertionError("the bundled network was measured")

    monkeypatch.setattr(revalidation, "validate_bundled", measured)


def test_a_champion_that_was_not_compared_does_not_answer_by_default(classification):
    forget(current_champion())
    model = load_model(None)
    assert (model.source, model.version) == (DEFAULT, None)
    assert model.about.endswith(
        f"; champion version {classification} {NOT_COMPARED}: --model champion takes it"
    )
    assert run("models").splitlines()[-1] == (
        f"the bundled {DEFAULT} answers by default: champion version {classification} "
        f"{NOT_COMPARED}"
    )


@pytest.mark.parametrize("bundled", [95.23, 310.42], ids=["worse", "no better"])
def test_a_champion_that_is_not_better_does_not_answer_by_default(classification, bundled):
    compared("data", version=310.42, bundled=bundled).keep(classification)
    model = load_model(None)
    assert model.source == DEFAULT
    assert f"champion version {classification} is not better" in model.about
    assert f"(l2_ab 310.4 against {bundled:.4g}): --model champion takes it" in model.about


def test_a_champion_that_is_better_answers_by_default(classification):
    compared("data", version=95.1, bundled=95.2).keep(classification)
    model = load_model(None)
    assert str(model.version.version) == classification
    assert model.about.endswith(f"; --model {DEFAULT} takes the bundled network")
    assert run("models").splitlines()[-1] == "the champion answers by default"


@pytest.mark.parametrize(("version", "bundled", "wins"), [(0.9, 0.8, True), (0.8, 0.9, False)])
def test_the_metric_says_what_is_better(versions, version, bundled, wins):
    number = versions(l2_ab=1)
    compared("data", version=version, bundled=bundled, metric="ssim").keep(number)
    known = mlflow.MlflowClient().get_model_version(MODEL_NAME, number)
    assert Comparison.of(known).won == wins
    assert (shortfall(known) is None) == wins


@pytest.mark.parametrize(
    "changed", [{"weights": "0" * 64}, {"metric": "nonsense"}, {"bundled": {}}], ids=str
)
def test_a_comparison_that_does_not_apply_here_does_not_count(classification, changed):
    replace(compared("data"), **changed).keep(classification)
    assert load_model(None).source == DEFAULT
    assert shortfall(current_champion()) == NOT_COMPARED


def test_a_damaged_comparison_does_not_count(classification):
    client = mlflow.MlflowClient()
    for damaged in ("", "{", "[1]", '{"metric": "l2_ab"}'):
        client.set_model_version_tag(MODEL_NAME, classification, COMPARISON_TAG, damaged)
        assert shortfall(current_champion()) == NOT_COMPARED


def test_a_later_recolor_with_other_weights_is_not_misled(classification, tmp_path, monkeypatch):
    compared("data").keep(classification)
    assert shortfall(current_champion()) is None
    content = bytearray(pretrained_file(DEFAULT).read_bytes())
    content[-1] ^= 1
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path)
    pretrained_file(DEFAULT).write_bytes(content)
    assert shortfall(current_champion()) == NOT_COMPARED


def test_a_rollback_says_what_answers_then(versions):
    for value, bundled in ((230, 300), (220, 200), (210, 100)):
        number = versions(l2_ab=value)
        compared(f"data-{bundled}", version=value, bundled=bundled).keep(number)
        mlflow.MlflowClient().set_model_version_tag(
            MODEL_NAME, number, "dataset.digest", f"data-{bundled}"
        )
        promote("l2_ab", number, force=True)
    assert rollback()[1] == (
        f"version 2 is the champion again, but not better than the bundled {DEFAULT} (l2_ab 200, "
        "told the palette), which still answers by default: --model champion takes version 2"
    )
    assert shortfall(current_champion())
    assert rollback()[1] == "version 1 is the champion again, and answers by default"
    assert shortfall(current_champion()) is None


def test_the_word_champion_takes_it(classification, tmp_path, monkeypatch):
    """Also one that is worse; neither a file nor a folder of that name hides it."""
    compared("data", version=2, bundled=1).keep(classification)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "champion").write_text("a file")
    model = load_model("champion")
    assert (str(model.version.version), model.source) == (
        classification,
        version_uri(classification),
    )
    assert model.which.startswith(f"{MODEL_NAME} version {classification} (champion; ")
    assert find_weights("champion").model == "classification"
    (tmp_path / "champion").unlink()
    (tmp_path / "champion").mkdir()
    assert load_model("champion").version.version == model.version.version


def test_commands_take_the_word(small, posters, tmp_path):
    data, number = small
    compared(data.digest, bundled=0).keep(number)
    promote("l2_ab", number, force=True)
    about = f"{MODEL_NAME} version {number} (champion; small"
    ways = ("--model", "champion", "--palette", "none")
    said = run("apply", posters[0], "--out", tmp_path / "out", *ways)
    assert f"by {about}" in said
    said = run(*("evaluate", "--data", data.folder, "--split", "validation", "--model", "champion"))
    assert f"{version_uri(number)}: {about}" in said


def test_a_champion_whose_version_is_missing_is_none(versions, tmp_path, monkeypatch):
    """As after a database is put back that is older than its artifacts."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.get_tracking_uri())
    client = mlflow.MlflowClient()
    versions(l2_ab=100)
    client.create_registered_model(RESTORING.model)
    client.create_model_version(RESTORING.model, str(tmp_path))
    for task in (RECOLORING, RESTORING):
        client.set_registered_model_alias(task.model, "champion", "1")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE registered_model_aliases SET version = 9")
        database.commit()
    missing, restoring = (
        f"version 9 of {task.model}, the champion, is missing: `{task.promote}` chooses another"
        for task in (RECOLORING, RESTORING)
    )
    assert load_model().about.endswith(f"; {missing}")
    assert load_model(DEFAULT).painter.restorer.about.endswith(f"; {restoring}")
    with pytest.raises(RegistryError, match=f"^{missing}$"):
        load_model("champion")
    assert {missing, restoring} <= set(run("models").splitlines())
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback()
    assert promote("l2_ab")[0] == str(find_champion().version) == "1"


def test_without_a_champion_the_word_fails_in_one_line(versions, tmp_path, monkeypatch):
    uri = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    ways = "train a model with `recolor train`, then run `recolor promote`"
    for take in (load_model, find_weights, lambda _: find_champion()):
        with pytest.raises(RegistryError, match=f"^{MODEL_NAME} has no champion yet: {ways}$"):
            take("champion")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    for take in (load_model, find_weights):
        with pytest.raises(RegistryError, match=f"^there is no store here yet: {ways}$"):
            take("champion")
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_promotion_measures_the_bundled_network_once(small, monkeypatch):
    data, number = small
    bars = Bars()
    lines = promote("l2_ab", force=True, bar=bars)[1].splitlines()
    told = MetricKey(TOLD_PALETTE, "l2_ab")
    value = validate(data, load_model(DEFAULT).painter)[told]
    assert bars.seen == [[f"measuring the bundled {DEFAULT}", 6, 6]]
    assert f"  bundled {DEFAULT}: l2_ab {value:.4g}, told the palette" in lines
    # Drawn posters, of which the U-Net has seen none; but it was trained on other splits.
    assert f"warning: the bundled {DEFAULT} {MAY_KNOW}" in lines
    known = Comparison.of(current_champion())
    assert known.bundled == {told: pytest.approx(value)}
    assert (known.metric, known.data, known.may_know) == ("l2_ab", data.digest, True)
    assert value < known.version, "a network of 450 weights is worse"
    worse = (
        f"but not better than the bundled {DEFAULT} (l2_ab {value:.4g}, told the palette), which "
        f"still answers by default: --model champion takes version {number}"
    )
    assert (
        lines[-1]
        == f"version {number} (l2_ab {known.version:.4g}, free) is the champion now, {worse}"
    )

    nothing_is_measured(monkeypatch)
    with moved(data):
        again = promote("l2_ab")[1].splitlines()
    assert again[:-1] == [
        line.replace("none yet", f"version {number} (l2_ab {known.version:.4g}, free)")
        for line in lines[:-1]
    ]
    assert again[-1].endswith(f"is the champion already, {worse}")
    assert shortfall(current_champion()) == f"is not better ({known.values})"


def test_another_version_is_compared_by_what_is_known_of_its_data(small, monkeypatch):
    data, number = small
    client = mlflow.MlflowClient()
    first = client.get_model_version(MODEL_NAME, number)
    compared(data.digest, version=300, bundled=250).keep(number)
    tags = {"dataset.digest": data.digest, "validation.l2_ab": "200"}
    second = client.create_model_version(MODEL_NAME, first.source, tags=tags)
    nothing_is_measured(monkeypatch)
    message = promote("l2_ab", str(second.version))[1]
    assert f"  bundled {DEFAULT}: l2_ab 250, told the palette" in message
    assert message.endswith("(l2_ab 200, free) is the champion now, and answers by default")
    assert shortfall(current_champion()) is None


def test_what_is_known_is_compared_without_tensorflow(small):
    data, number = small
    compared(data.digest).keep(number)
    code = (
        "from recolor.platform.cli.main import main\n"
        "main(['promote', '--force'], standalone_mode=False)\n"
    )
    said = check_imports(code, "keras", "tensorflow")
    assert "is the champion now, and answers by default" in said


def test_without_its_data_a_version_is_promoted_but_not_compared(small, tiny):
    data, number = small
    uncompared = (
        f"is the champion now, but was not compared with the bundled {DEFAULT}, which still "
        "answers by default: `recolor promote --data DATA` compares them, --model champion takes "
        f"version {number}"
    )
    with moved(data) as elsewhere:
        lines = promote("l2_ab", number, force=True)[1].splitlines()
        reason = f"its data set is no longer in {data.folder}"
        assert f"not compared with the bundled {DEFAULT}: {reason}" in lines
        assert lines[-1].endswith(uncompared)
        assert shortfall(current_champion()) == NOT_COMPARED
        # The way out: the same data from another place, on which the version was validated.
        message = run("promote", "--force", "--data", elsewhere)
    assert "measuring version" not in message
    assert f"is the champion already, but not better than the bundled {DEFAULT}" in message
    assert Comparison.of(current_champion()).data == data.digest


def test_data_that_has_changed_is_not_measured_on(small, manifest):
    data, number = small
    with moved(data):
        shutil.copytree(manifest.folder, data.folder)
        message = promote("l2_ab", number, force=True)[1]
        assert f"the bundled {DEFAULT}: {data.folder} holds another data set now\n" in message
        described = data.folder / "dataset.json"
        content = json.loads(described.read_text())
        described.write_text(json.dumps({**content, "digest": "0"}))
        message = promote("l2_ab", number, force=True)[1]
        assert f"the bundled {DEFAULT}: {described} was changed" in message
    assert shortfall(current_champion()) == NOT_COMPARED


def test_a_champion_of_another_metric_has_no_comparison_left_of_before(small):
    """What it was compared by when it was promoted decides."""
    data, number = small
    compared(data.digest).keep(number)
    with moved(data):
        promote("ssim", number, force=True)
        assert shortfall(current_champion()) == NOT_COMPARED
        # While it stays the champion, what is known decides.
        compared(data.digest).keep(number)
        message = promote("ssim", number)[1]
        assert f"not compared with the bundled {DEFAULT}: its data set" in message
        assert message.endswith("is the champion already, and answers by default")
    assert shortfall(current_champion()) is None


def test_a_palette_that_the_champion_does_not_take(small, posters, tmp_path):
    data, number = small
    compared(data.digest, bundled=0).keep(number)
    promote("l2_ab", number, force=True)
    palette = ["--palette", "#0b3c5d,orange:3"]
    arguments = ["apply", posters[0], "--out"]
    which = f"{MODEL_NAME} version {number} (champion; small, 16 pixels, learned from 16 posters)"
    words = (
        f"{which}: a small network gives one color a pixel and takes no palette; --model {DEFAULT} "
        "takes palettes and hints"
    )
    assert error(*arguments, tmp_path / "a", "--model", "champion", *palette) == words
    # After a promotion of a weaker network, palettes keep working by default.
    said = run(*arguments, tmp_path / "b", *palette)
    assert f"1 recolored in {tmp_path / 'b'} by the bundled {DEFAULT} network (" in said
    assert f"champion version {number} is not better (l2_ab " in said
    compared(data.digest).keep(number)
    assert error(*arguments, tmp_path / "c", *palette) == words
