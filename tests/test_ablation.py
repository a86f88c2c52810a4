"""`recolor ablate`: each variant of a file an MLflow run, through kills and changes of the file."""

import functools
import json
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import keras
import mlflow
import pytest
from click.testing import CliRunner
from conftest import made_database, own_store
from forge import wait_until
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from PIL import Image
from tqdm import tqdm

from recolor.datasets.object_storage import RemotePath
from recolor.datasets.preparation import prepare
from recolor.evaluation.scoring import score
from recolor.evaluation.told import Predictions, Told
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding
from recolor.models.paper import Classification, conv
from recolor.models.weights import Weights
from recolor.platform.cli.main import main
from recolor.platform.experiments.ablation import ablate
from recolor.platform.experiments.ablation_plan import AblationError, AblationPlan
from recolor.platform.registry.model import load_model
from recolor.platform.tracking.provenance import COMMIT_TAG, origin
from recolor.platform.training.settings import Settings

pytestmark = pytest.mark.usefixtures("small_network")

FILE = """
[judged]
posters = 4

[all]
data = ["{data}"]
model = "small"
epochs = 4
batch_size = 4
learning_rate = 1e-3

[variants]
plain = {{seeds = [0, 1]}}
mirrored = {{augment = "mirror"}}
"""


class Place:
    """A folder with a store of its own and the file of an ablation, where the command is called."""

    def __init__(self, forge, folder: Path, text: str):
        self.forge, self.folder, self.file = forge, folder, folder / "it's small.toml"
        self.store = f"sqlite:///{folder}/mlruns/mlflow.db"
        self.write(text)

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def begin(self):
        return self.forge.begin(self.folder, "ablate", self.file.name)

    def call(self, status: int = 0) -> str:
        ended = self.begin().wait()
        assert ended.status == status, ended.said
        return ended.said

    def runs(self) -> tuple[list, list]:
        """The ablation's own runs, and those within them, oldest first."""
        client = mlflow.MlflowClient(self.store)
        experiment = client.get_experiment_by_name("recolor").experiment_id
        found = client.search_runs([experiment], order_by=["attributes.start_time"])
        within = [run for run in found if MLFLOW_PARENT_RUN_ID in run.data.tags]
        return [run for run in found if run not in within], within

    def table(self) -> dict[str, list[str]]:
        """The cells of the report's rows by their first one."""
        lines = (self.folder / "ablation" / "it's small.md").read_text().splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def killed(tiny, small_network, forge, tmp_path_factory):
    """An ablation whose command was killed in the second training, and then called again."""
    place = Place(forge, tmp_path_factory.mktemp("killed"), FILE.format(data=tiny.folder))
    (place.folder / "mlruns").mkdir()
    shutil.copy(made_database(), place.folder / "mlruns")
    command = place.begin()
    wait_until(lambda: "Epoch 2" in command.said.partition("plain, seed 1")[2], command, 200)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    return place, place.call()


def test_it_continues_where_it_was_killed(killed):
    _, said = killed
    assert "plain, seed 0: judged already" in said
    assert "plain, seed 1: small" in said and "mirrored, seed 0: small" in said
    # Not from the beginning.
    resumed = said.split("plain, seed 1")[1].split("mirrored")[0]
    assert "Epoch 4/4" in resumed and "Epoch 1/4" not in resumed


def test_every_variant_is_one_run_within_the_ablations(killed):
    place, _ = killed
    (whole,), within = place.runs()
    assert (whole.info.run_name, whole.info.status) == ("ablate it's small", "FINISHED")
    names = [run.info.run_name for run in within]
    assert names == ["plain, seed 0", "plain, seed 1", "mirrored, seed 0"]
    for run in within:
        assert run.info.status == "FINISHED"
        assert run.data.tags[MLFLOW_PARENT_RUN_ID] == whole.info.run_id
        assert run.data.metrics["epochs"] == 4
        assert run.data.params["judged.posters"] == "4"
    kept = {one.path for one in mlflow.MlflowClient(place.store).list_artifacts(whole.info.run_id)}
    assert kept == {f"it's small.{ending}" for ending in ("toml", "md", "png")}


def test_the_table_has_what_the_kept_networks_come_to(killed, tiny):
    place, said = killed
    measured = {}
    for run in place.runs()[1]:
        weights = next(Path(run.info.artifact_uri.removeprefix("file://")).glob("*.safetensors"))
        predict = Predictions(load_model(str(weights)).painter, Decoding()).told(Told())
        result = score(tiny, "validation", {"it": predict}, most=4)["it"].result()["l2_ab"]
        assert run.data.metrics["nothing/l2_ab"] == pytest.approx(result)
        measured[run.info.run_name] = result
    plain = [measured["plain, seed 0"], measured["plain, seed 1"]]
    table = place.table()
    expected = f"{sum(plain) / 2:.1f} ± {abs(plain[0] - plain[1]) / 2**0.5:.1f}"
    assert table["plain"][0] == expected
    assert table["mirrored"][0] == f"{measured['mirrored, seed 0']:.1f}"
    assert expected in said
    with Image.open(place.folder / "ablation" / "it's small.png") as picture:
        assert min(picture.size) > 100


def test_of_a_changed_file_only_what_is_new_is_trained(killed, tiny):
    place, _ = killed
    before = len(place.runs()[1])
    text = FILE.format(data=tiny.folder).replace("seeds = [0, 1]", "seeds = [1]")
    place.write(text + "wild = {learning_rate = 1e30}\n")
    said = place.call()
    assert said.count("judged already") == 2
    assert "wild, seed 0: loss is" in said and "lower `learning_rate`" in said
    assert list(place.table())[2:] == ["plain", "mirrored", "wild"]
    assert set(place.table()["wild"][:-1]) == {"-"}
    # What has diverged is not tried again.
    assert "wild, seed 0: judged already" in place.call()
    assert len(place.runs()[1]) == before + 1


@pytest.mark.slow
def test_a_second_command_does_not_interfere(tiny, small_network, forge, tmp_path, heard):
    place = Place(forge, tmp_path, FILE.format(data=tiny.folder))
    place.call()
    place.write(FILE.format(data=tiny.folder).replace("epochs = 4", "epochs = 40000"))
    first = place.begin()
    wait_until(lambda: "Epoch 2" in first.said, first, 200)
    said = place.call(status=1)
    assert re.search("^Error: .*works on run", said, re.MULTILINE), said
    first.signal(signal.SIGINT)
    ended = first.wait()
    assert (
        ended.status == 130 and "interrupted: run the same command again to continue" in ended.said
    )
    (whole,), within = place.runs()
    assert [run.info.status for run in (whole, within[-1])] == ["KILLED", "KILLED"]


class SmallClassification(Classification):
    """A network with few weights that takes palettes and hints."""

    name = "small-classification"

    def build(self, size):
        lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
        embedding = keras.Input((self.embedding_size,), name="embedding")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(lightness)
        return keras.Model([lightness, embedding], self.head(conv("features", 8, self.step)(x)))


class Here:
    """Calls `ablate` in this process, in a store of its own."""

    def __init__(self, folder: Path, data: Path):
        self.file, self.out, self.data = folder / "here.toml", folder / "out", data
        self.said = []

    def write(self, variants: str, judged: str = 'told = ["nothing"]') -> None:
        self.file.write_text(
            f"""
            [judged]
            posters = 1
            {judged}
            [all]
            data = ["{self.data}"]
            epochs = 1
            train_fraction = 0.2
            [variants]
            {variants}
            """
        )

    def call(self, variants: str, to_train: bool = True, **judged: str) -> None:
        """Call it; where it would train, it is interrupted unless it is to."""
        self.write(variants, **judged)
        self.said = []

        def echo(line: str) -> None:
            self.said.append(line)
            if "training posters of" in line and not to_train:
                raise KeyboardInterrupt

        plan = AblationPlan.read(self.file)
        bar = functools.partial(tqdm, disable=True)
        ablate(plan, self.file, self.out, echo=echo, bar=lambda total, label: bar())

    @property
    def judged_already(self) -> list[str]:
        return [line.split(",")[0] for line in self.said if "judged already" in line]

    def table(self) -> dict[str, list[str]]:
        lines = (self.out / "here.md").read_text().splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}


@pytest.fixture
def here(manifest, small_network, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS._places, SmallClassification.name, "")
    monkeypatch.setitem(MODELS._things, SmallClassification.name, SmallClassification)
    with own_store(tmp_path / "store"):
        yield Here(tmp_path, manifest.folder)


def test_what_other_values_have_led_to_is_judged_again(here, small_network, monkeypatch, tmp_path):
    """The file is the same; the network, a variant, initial weights or a default have changed."""
    kind = MODELS[small_network]
    monkeypatch.setattr(kind, "share", 1.0, raising=False)
    monkeypatch.setattr(kind, "variants", MappingProxyType({"half": {"share": 0.5}}))
    variants = """
        whole = {model = "small"}
        half = {model = "small+half"}
    """
    here.call(variants)
    file = next((tmp_path / "store").rglob("weights.safetensors"))
    variants += f'warm = {{model = "small", initial_weights = "{file}"}}'
    here.call(variants)
    assert here.judged_already == ["whole", "half"]
    here.call(variants)
    assert here.judged_already == ["whole", "half", "warm"]
    commit = origin()[COMMIT_TAG][:7]
    assert all(f"judged already, at commit {commit}" in line for line in here.said)
    assert all(row["commit"].startswith(commit) for row in here.table().values())

    def judged_still() -> list[str]:
        with pytest.raises(KeyboardInterrupt):
            here.call(variants, to_train=False)
        return here.judged_already

    weights = Weights.load(file)
    doubled = {name: 2 * tensor for name, tensor in weights.tensors.items()}
    replace(weights, tensors=doubled).save(file)
    assert judged_still() == ["whole", "half"]
    with monkeypatch.context() as patch:
        changed = MappingProxyType({"half": {"share": 0.25}})
        patch.setattr(kind, "variants", changed)
        assert judged_still() == ["whole"]
    with monkeypatch.context() as patch:
        patch.setattr(kind, "share", 2.0)
        assert judged_still() == []
    complete = Settings.complete
    monkeypatch.setattr(Settings, "complete", lambda self: replace(complete(self), ema=0.9))
    assert judged_still() == []


def test_results_are_printed_as_json(here):
    """What the training says of its epochs is not among them."""
    here.write('only = {model = "small"}')
    arguments = ["ablate", str(here.file), "--out", str(here.out), "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    (only,) = json.loads(result.stdout)
    assert (only["variant"], only["diverged"]) == ("only", None)
    assert only["commit"] == here.table()["only"]["commit"]
    assert only["metrics"] == mlflow.get_run(only["run_id"]).data.metrics
    assert "val_loss: " in result.stderr


TOLD = ["nothing", "auto", "palette", "best2", "hints5", "palette+hints5", "palette+source"]


@pytest.mark.slow
def test_the_table_has_all_that_a_network_is_told(here):
    told = [*TOLD, "aged", "unaged"]
    variants = """
        colors = {model = "small-classification"}
        restores = {model = "restoration"}
        plain = {model = "small"}
    """
    here.call(variants, judged=f"told = {told}")
    table = here.table()
    for text in told:
        missing = {name for name, row in table.items() if row[f"L2ab, told {text}"] == "-"}
        if text == "nothing":
            assert missing == {"restores"}
        else:
            assert missing == ({"colors", "plain"} if "aged" in text else {"restores", "plain"})


def test_posters_to_judge_by_are_held_out_from_all(tiny, posters, tmp_path, forge):
    options = {"split": (16, 6, 0), "embedding": "none", "seed": 2, "workers": 1}
    prepare(posters, tmp_path / "other", size=16, **options)
    text = FILE.format(data=tiny.folder) + 'other = {data = ["other"]}\n'
    said = Place(forge, tmp_path, text).call(status=1)
    assert "other: other holds out other posters than" in said
    assert not list((tmp_path / "ablation").glob("*"))


def test_a_worker_among_several_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}}')
    (tmp_path / "it.toml").write_text(FILE.format(data=tiny.folder))
    plan = AblationPlan.read(tmp_path / "it.toml")
    with pytest.raises(AblationError, match="by one process: unset TF_CONFIG"):
        ablate(plan, tmp_path / "it.toml", tmp_path, echo=print, bar=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "Invalid value"),
        ("", r"there are no \[variants\]"),
        ("[variant]", "the file: variant is not one of judged, all, variants"),
        ("all = 1\n[variants]\na = {}", r"\[all\] must be a table, not 1"),
        ("[variants]\na = 1", "a must be a table of options, not 1"),
        ("[variants]\na = {}", "a: set `model`"),
        ("[variants]\na = {model = 'unet', epoch = 1}", "a: epoch is not one of data, seeds, acc"),
        ("[variants]\na = {model = 'unet', seed = 1}", "a: seed is not one of"),
        ("[variants]\na = {model = 'net'}", "a: model must be one of .*, not 'net'"),
        ("[variants]\na = {model = 'unet+x'}", "model must be one of unet.quick, .*, not 'unet.x"),
        (
            "[variants]\na = {model = 'unet', epochs = 'two'}",
            "epochs must be a whole number of at least 1, not 't",
        ),
        (
            "[variants]\na = {model = 'unet', epochs = 2.5}",
            "epochs must be a whole number of at least 1, not 2.5",
        ),
        ("[variants]\na = {model = 'unet', epochs = true}", "of at least 1, not True"),
        ("[variants]\na = {model = 'unet', clip = 'x'}", "clip must be a number above 0, not 'x'"),
        ("[variants]\na = {model = 'unet', jit = 'no'}", "jit must be true or false, not 'no'"),
        ("[variants]\na = {model = 'unet', augment = 3}", "a: augment must be a text, not 3"),
        (
            "[variants]\na = {model = 'unet', epochs = 0}",
            "a: epochs must be a whole number of at l",
        ),
        ("[variants]\na = {model = 'unet', data = 'd'}", "a: data must be a list of folders, not"),
        ("[variants]\na = {model = 'unet', data = []}", "a: data is empty"),
        ("[variants]\na = {model = 'unet', seeds = [1.5]}", "seeds must be a list of numbers"),
        ("[variants]\na = {model = 'unet', seeds = [0, 0]}", "a: seeds has a number twice"),
        ("[variants]\na = {model = 'unet', seeds = [-1]}", "a: seed must be a whole number from 0"),
        ("[judged]\ntold = ['x']\n[variants]\na = {model = 'unet'}", "'x' is nothing that can be"),
        ("[judged]\nposters = 0\n[variants]\na = {model = 'unet'}", "posters must be at least 1"),
        ("[judged]\nposters = true\n[variants]\na = {model = 'unet'}", "must be a number, not Tr"),
        ("[judged]\ntemperature = 0\n[variants]\na = {model = 'unet'}", "temperature must be"),
        ("[judged]\nkernel_distance = 1\n[variants]\na = {model = 'unet'}", "true or false"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line(text, message, tmp_path):
    file = tmp_path / "it.toml"
    file.write_text(text)
    with pytest.raises(AblationError, match=f"^{re.escape(str(file))}: .*{message}") as caught:
        AblationPlan.read(file)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(AblationError, match="can't be read: No such file"):
        AblationPlan.read(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(AblationError, match="is not UTF-8 text"):
        AblationPlan.read(tmp_path / "binary.toml")


def test_data_sets_may_be_in_object_storage(tmp_path):
    (tmp_path / "it.toml").write_text(
        "[variants]\na = {model = 'unet', data = ['data', 's3://bucket/data']}"
    )
    (variant,) = AblationPlan.read(tmp_path / "it.toml").variants
    assert variant.data == (Path("data"), RemotePath("s3://bucket/data"))


def test_a_wrong_file_leaves_nothing_behind(tmp_path):
    (tmp_path / "it.toml").write_text("[variants]")
    asked = ["ablate", str(tmp_path / "it.toml"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].endswith("it.toml: there are no [variants]")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "it.toml"]


def test_the_files_that_come_along_can_be_read():
    files = sorted((Path(__file__).parents[1] / "docs" / "ablations").glob("*.toml"))
    assert len(files) == 4
    for file in files:
        AblationPlan.read(file)


def test_the_papers_experiment_has_its_settings():
    file = Path(__file__).parents[1] / "docs" / "ablations" / "paper.toml"
    settings = {one.name: one.settings.complete() for one in AblationPlan.read(file).variants}
    assert {name: one.epochs for name, one in settings.items()} == {
        "regression": 180,
        "classification": 260,
    }
    for one in settings.values():
        assert (one.learning_rate, one.schedule, one.augment) == (1e-4, "plateau", "none")
