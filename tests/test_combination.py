"""Several data sets read as one: the others add training posters, and nothing else changes."""

import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import own_store
from PIL import Image

from recolor.datasets.classes import count_cells
from recolor.datasets.combination import combine, load_data
from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.preparation import prepare
from recolor.datasets.splits import SPLITS
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.platform.cli.main import main
from recolor.platform.search.outcome import Best
from recolor.platform.search.plan import Plan
from recolor.platform.search.space import parse_space
from recolor.platform.tracking.store import log_dataset, logged_data
from recolor.platform.training.settings import Settings

OPTIONS = {"size": 32, "embedding": "none", "seed": 5, "workers": 1}


def members(manifest: Manifest, split: str) -> list[str]:
    return [str(poster["sha256"]) for poster in Posters(manifest, split)]


@pytest.fixture(scope="module")
def more(manifest, posters, tmp_path_factory) -> Manifest:
    """A data set of twelve more posters, of two that `manifest` has, and of two like those."""
    folder = tmp_path_factory.mktemp("more")
    list(generate_demo_posters(folder, 12, "modern", seed=77))
    by_name = {poster.name: poster for poster in posters}
    for split in ("validation", "train"):
        poster = by_name[str(Posters(manifest, split)[0]["id"])]
        shutil.copy(poster, folder / f"known-{split}.jpg")
        with Image.open(poster) as image:
            image.save(folder / f"like-{split}.jpg", quality=60)
    out = tmp_path_factory.mktemp("sets") / "more"
    return prepare([folder], out, split=(16, 0, 0), compression="webp", **OPTIONS)[0]


@pytest.fixture(scope="module")
def third(tmp_path_factory) -> Manifest:
    """A data set of its own training, validation and test posters."""
    found = generate_demo_posters(tmp_path_factory.mktemp("third"), 8, "modern", seed=78)
    return prepare(list(found), tmp_path_factory.mktemp("3") / "set", split=(4, 2, 2), **OPTIONS)[0]


@pytest.fixture(scope="module")
def both(manifest, more) -> Manifest:
    return combine([manifest, more])


def test_the_others_add_training_posters_and_nothing_else_changes(manifest, more, third):
    every = combine([manifest, more, third])
    for split in ("validation", "test"):
        assert members(every, split) == members(manifest, split)
    assert every.held_out == manifest.held_out
    # Of the four posters from the first data set, only the one that is like a training poster
    # teaches something.
    ids = [str(poster["id"]) for poster in Posters(every, "train")]
    assert (len(every.known), len(every.like_held_out)) == (1, 2)
    assert every.count("train") == len(ids) == 20 + 13 + 4
    assert [one for one in ids if one.startswith(("known", "like"))] == ["like-train.jpg"]
    assert members(every, "train")[:20] == members(manifest, "train")
    assert members(every, "train")[-4:] == members(third, "train")


def test_what_is_said_of_the_posters_is_what_they_are(both):
    posters = list(Posters(both, "train"))
    cells = sum(count_cells(poster["ab"]) for poster in posters)
    np.testing.assert_array_equal(cells, both.cell_counts("train"))
    pixels = [
        poster["ab"][top : top + height, left : left + width].reshape(-1, 2)
        for poster in posters
        for top, left, height, width in [poster["box"]]
    ]
    np.testing.assert_allclose(both.mean_ab, np.concatenate(pixels).mean(axis=0), rtol=1e-6)


def test_the_digest_tells_which_data_sets_these_are(manifest, more, third, both):
    assert both.digest == load_data([manifest.folder, more.folder]).digest
    others = [manifest, more, combine([more, manifest]), combine([manifest, third])]
    others.append(combine([manifest, more, third]))
    assert len({one.digest for one in [both, *others]}) == 6


def test_a_data_set_that_is_replaced_meanwhile_is_noticed(manifest, more, third, tmp_path):
    copy = Path(shutil.copytree(more.folder, tmp_path / "copy"))
    combined = load_data([manifest.folder, copy])
    shutil.rmtree(copy)
    shutil.copytree(third.folder, copy)
    with pytest.raises(DatasetError, match="copy was prepared again meanwhile"):
        Posters(combined, "test")


def test_what_can_not_be_combined_is_said(manifest, more, posters, tmp_path):
    def prepared(name, files, **options):
        return prepare(files, tmp_path / name, split=(8, 0, 0), **{**OPTIONS, **options})[0]

    copy = Manifest.load(Path(shutil.copytree(more.folder, tmp_path / "copy")))
    embedding = {"name": "random", "size": 1000}
    embedded = replace(
        more, content={**more.content, "settings": {**OPTIONS, "embedding": embedding}}
    )
    for data_sets, words in (
        ([more, more], f"{more} is the same data set as {more}: give it once"),
        ([manifest, more, copy], f"{copy} is the same data set as {more}: give it once"),
        ([manifest, prepared("b", posters[:8], size=40)], "b has squares of 40 pixels, and .* 32:"),
        ([manifest, embedded], "more was prepared with the embedding random, and .* with none: "),
        ([manifest, prepared("half", posters)], "half adds no training posters to .*/demo: leave"),
    ):
        with pytest.raises(DatasetError, match=words):
            combine(data_sets)


def call(*arguments) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.output if not result.exit_code else f"failed: {result.output}"


def test_a_run_leads_back_to_all_its_data_sets_in_their_order(manifest, more, third, tmp_path):
    with own_store(tmp_path):
        for parts in ([manifest, more], [manifest, third], [third, manifest]):
            with mlflow.start_run() as run:
                log_dataset(combine(parts), "training")
            found = logged_data(run.info.run_id)
            assert [part.folder for part in found.parts] == [part.folder for part in parts]


@pytest.mark.slow
def test_commands_take_several(manifest, more, both, small_network, tmp_path):
    data = ["--data", manifest.folder, "--data", more.folder]
    options = ["--model", small_network, "--epochs", 1, "--batch-size", 10]
    with own_store(tmp_path):
        said = call("train", *data, *options)
        assert (
            f"33 training posters of {manifest} and {more}; left out: 2 like posters that "
            f"{manifest} holds out, 1 there already\n"
        ) in said
        run = mlflow.last_active_run()
        resume = ["train", "--resume", run.info.run_id, "--epochs", 2]
        alone = call(*resume, "--data", manifest.folder)
        turned = call(*resume, "--data", more.folder, "--data", manifest.folder)
        # What is held out is the same, so that its figures can be compared with others.
        evaluated = call("evaluate", *data)
    assert run.data.tags["dataset.digest"] == both.digest
    assert run.data.params["training_posters"] == "33"
    assert sorted(one.dataset.name for one in run.inputs.dataset_inputs) == ["demo", "more"]
    assert f"was trained on other data than {manifest}\n" in alone
    assert f"was trained on other data than {more} and {manifest}\n" in turned
    assert "mean color" in evaluated
    untracked = tmp_path / "small.npz"
    for epochs in (1, 2):
        said = call("train", *data, *options, "--epochs", epochs, "--untracked", untracked)
        assert f"{epochs} epochs in {untracked}" in said
        assert f"import-weights {untracked} --data {manifest} --data {more}`" in said


def test_the_best_trial_is_repeated_with_all(manifest, more, both):
    space = parse_space(["clip=1:2"])
    settings = Settings("regression").complete()
    plan = Plan(both.digest, settings, OwnDecoding(), space, "val_loss", "tpe", "none", 0)
    command = Best(0, 1.0, "run", {"clip": 1.0}).command(both, plan, 1)
    assert command.startswith(f"recolor train --data {manifest} --data {more} --model regression ")


def test_it_has_all_that_every_data_set_has(both, manifest):
    for one in (both, manifest):
        for name in vars(DatasetInfo):
            if not name.startswith("_") and not callable(getattr(DatasetInfo, name)):
                getattr(one, name)
        assert all(file.is_file() for split in SPLITS for file in one.shards(split))
        assert one.left_out("validation") == []
    # The files of one folder, and the list of its posters, belong to a data set in one folder.
    public = {name for name in dir(both) if not name.startswith("_")}
    assert not public & {"describe", "files", "listing", "load"}
