"""The paper's whole experiment: both networks, the table and the pictures, in one report."""

import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
from PIL import Image
from tqdm import tqdm

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.errors import RecolorError
from recolor.datasets.images import find_images, open_image, read_file, to_rgb
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.splits import SPLITS
from recolor.evaluation import html_page
from recolor.evaluation.figures import class_distribution, learning_curve
from recolor.evaluation.metrics.split_metrics import SplitMetrics
from recolor.evaluation.poster_sheets import comparison_sheet
from recolor.evaluation.report import PICTURES, Training, report
from recolor.evaluation.scoring import baseline_predictors, score
from recolor.evaluation.sheets import contact_sheet
from recolor.evaluation.tables import MAY_KNOW
from recolor.evaluation.told import NOTHING, PALETTE, Predictor
from recolor.models.catalog import MODELS, PAPER
from recolor.models.decoding.options import FREE, Decoding
from recolor.models.painter import Painter
from recolor.models.weights import Weights
from recolor.platform.experiments.evaluation import log_columns, predictors_told
from recolor.platform.registry.load import UsableModel, load
from recolor.platform.registry.versions import version_uri
from recolor.platform.registry.weight_sources import find_weights
from recolor.platform.serving.files import recolor_files
from recolor.platform.serving.targets import REPLACE, plan
from recolor.platform.tracking.provenance import COMMIT_TAG, DIRTY_TAG, origin
from recolor.platform.tracking.store import log_dataset, log_parameters, tracked_run
from recolor.platform.training.data_options import data_options
from recolor.platform.training.publication import VERSION_TAG
from recolor.platform.training.settings import Settings
from recolor.platform.training.tracked import saved_settings, train

STATE_FILE = "reproduction.json"
REPORT = "report"
RECOLORED = "recolored"
SHEETS = 2
SHEET_POSTERS = 12
SHEET_SIDE = 240


class ReproductionError(RecolorError):
    """A reproduction can't go on in its folder."""


@dataclass
class Reproduction:
    """What `reproduce` made.

    Attributes:
        report: The report as Markdown; the same as HTML lies beside it.
        columns: The metrics by column.
        skipped: Name and reason of each old poster that could not be recolored.
    """

    report: Path
    columns: dict[str, dict[str, float | None]]
    skipped: list[tuple[str, str]] = field(default_factory=list)


def reproduce(
    manifest: Manifest,
    old: list[Path],
    out: Path,
    *,
    scale: float = 1.0,
    given: dict[str, str] | None = None,
    echo: Callable[[str], None],
    bar: Callable[..., tqdm],
) -> Reproduction:
    """Train both networks by the paper's settings, evaluate them and write the report.

    Started again with the same arguments, it goes on where it was interrupted.

    Args:
        manifest: The data set; the paper's has 9,000, 1,000 and 800 posters.
        old: Folders and files of old posters to recolor; may be empty.
        out: Folder of the results.
        scale: Share of the paper's epochs to train for, more than 0; at least one epoch is.
        given: Models that are trained already, by model kind, as `load` takes them.
        echo: Takes the lines that say what is being done.
        bar: Makes a progress bar from a number of posters, a label and, if wanted, what to wrap.

    Raises:
        ReproductionError: If the folder holds another reproduction.
        ImageError: If an old poster is missing.
        DatasetError: If the training or the test split is empty.
        TrainingError, RunError, RegistryError, WeightsError: If a model can't be trained or used,
            or one that is given is of another kind.
    """
    given = {kind: source for kind, source in (given or {}).items() if source}
    _check(manifest, old, out)
    ready = {kind: _ready(manifest, kind, source) for kind, source in given.items()}
    state = _State(out / STATE_FILE, manifest, scale)
    folder = out / REPORT
    # The trainings are runs of their own within this one.
    with tracked_run("reproduce") as run:
        log_dataset(manifest, "test")
        for kind in PAPER:
            if kind not in ready:
                ready[kind] = _ready(manifest, kind, _train(manifest, kind, state, echo))
            if not ready[kind][0].held_out_like(manifest.held_out):
                echo(f"warning: {ready[kind][1].source} {MAY_KNOW}")
        weights = {kind: ready[kind][0] for kind in PAPER}
        models = {kind: ready[kind][1] for kind in PAPER}
        sources = {kind: model.source for kind, model in models.items()}
        log_parameters(run, {"scale": scale, **sources})
        predictors = _predictors(manifest, models)
        with bar(manifest.count("test"), "evaluating") as shown:
            answers = {**predictors, **baseline_predictors(manifest, told_palette=True)}
            measured = score(manifest, "test", answers, shown.update)
        columns = {name: metrics.result() for name, metrics in measured.items()}
        log_columns(columns)
        # Pictures of an earlier report may be other ones.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        curves = _draw(manifest, weights, measured, folder)
        comparison_sheet(manifest, "test", predictors).save(
            folder / PICTURES["test posters"], quality=90
        )
        sheets, skipped = _recolor_old(models, old, out, folder, bar)
        command = _command(manifest, old, out, scale, given)
        file = _write_report(manifest, weights, columns, curves, sheets, folder, command)
        mlflow.log_artifacts(str(folder), REPORT)
    return Reproduction(file, columns, skipped)


def _check(manifest: Manifest, old: list[Path], out: Path) -> None:
    """Find mistakes before the hours of training."""
    for split in ("train", "test"):
        if not manifest.count(split):
            raise DatasetError(f"{manifest}: the {split} split is empty")
    if os.environ.get("TF_CONFIG"):
        raise ReproductionError(
            "a reproduction is one process: unset TF_CONFIG, or train the networks by `recolor "
            "train` and give them"
        )
    if old:
        plan(old, out / RECOLORED, existing=REPLACE)


def _ready(manifest: Manifest, kind: str, source: str) -> tuple[Weights, UsableModel]:
    """Load a network once, and check that it is of the kind and fits the data."""
    weights = find_weights(source)
    weights.check_model(kind)
    model = load(source)
    _predictors(manifest, {kind: model})
    return weights, model


def _predictors(manifest: Manifest, models: dict[str, UsableModel]) -> dict[str, Predictor]:
    """Let each model answer as in the paper and, where it can, told each poster's palette."""
    predictors = {}
    for kind, model in models.items():
        told = (NOTHING, PALETTE) if model.painter.network.takes_palette else (NOTHING,)
        predictors |= predictors_told(replace(model, source=kind), manifest, told)
    return predictors


class _State:
    """The runs that a reproduction has begun, kept in its folder."""

    def __init__(self, file: Path, manifest: Manifest, scale: float):
        self.file = file
        self.content = {"dataset_digest": manifest.digest, "scale": scale, "runs": {}}
        if not file.exists():
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            began = {name: found[name] for name in ("dataset_digest", "scale")}
            self.content["runs"] = dict(found["runs"])
        except (ValueError, KeyError, TypeError):
            raise ReproductionError(f"{file} is damaged: choose another --out") from None
        if began != {name: self.content[name] for name in began}:
            raise ReproductionError(
                f"{file.parent} holds a reproduction of other data or another scale: "
                "choose another --out"
            )

    def run(self, kind: str) -> str | None:
        """Return the id of the training's run, if it was begun."""
        return self.content["runs"].get(kind)

    def begin(self, kind: str, run_id: str) -> None:
        """Remember a training's run."""
        self.content["runs"][kind] = run_id
        with atomic_write(self.file) as temporary:
            temporary.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")


def _train(manifest: Manifest, kind: str, state: _State, echo: Callable[[str], None]) -> str:
    """Train a network, or go on with its training; return the model's URI."""
    run_id = state.run(kind)
    if run_id is None:
        settings = Settings(
            kind, epochs=max(1, round(state.content["scale"] * MODELS[kind].epochs))
        )
        epochs = f"{settings.epochs} of the paper's {MODELS[kind].epochs} epochs"
        echo(f"Training the {kind} network for {epochs}.")
        trained = train(manifest, settings, started=lambda begun: state.begin(kind, begun))
        return version_uri(trained.version)
    settings = saved_settings(run_id)
    run = mlflow.get_run(run_id)
    if run.info.status == "FINISHED" and VERSION_TAG in run.data.tags:
        echo(f"The {kind} network is trained already, in run {run_id}.")
        return version_uri(run.data.tags[VERSION_TAG])
    echo(f"Going on with the training of the {kind} network, run {run_id}.")
    return version_uri(train(manifest, settings, run_id).version)


def _draw(
    manifest: Manifest, weights: dict[str, Weights], measured: dict[str, SplitMetrics], folder: Path
) -> dict[str, list[str]]:
    """Draw the curves of every stage of both trainings, and the distributions of color classes.

    Returns:
        The curves' file names by model kind.
    """
    curves = {}
    for kind, found in weights.items():
        curves[kind] = []
        for number, stage in enumerate(found.stages, 1):
            name = f"learning-curve-{kind}-{number}.png"
            title = f"{kind}, {stage['training_posters']} posters of {stage['size']} pixels"
            learning_curve(stage["history"], title).savefig(folder / name, dpi=110)
            curves[kind].append(name)
    shown = {name: measured[name].metrics["n_classes"].cell_counts for name in ("truth", *weights)}
    class_distribution(shown).savefig(folder / PICTURES["classes"], dpi=80)
    return curves


def _recolor_old(
    models: dict[str, UsableModel], old: list[Path], out: Path, folder: Path, bar: Callable
) -> tuple[list[str], list[tuple[str, str]]]:
    """Recolor the old posters by both networks, and under palettes, and draw sheets of some.

    Returns:
        The sheets' file names, and what was skipped.
    """
    if not old:
        return [], []
    results, skipped = {}, {}
    for name, painter, decoding in _ways(models):
        target = out / RECOLORED / name
        outcome = recolor_files(
            painter,
            old,
            target,
            decoding=decoding,
            existing=REPLACE,
            progress=lambda files: bar(len(files), "recoloring", files),
        )
        results[name] = target
        skipped |= dict(outcome.skipped)
    files = [(name, path) for name, path in find_images(old) if name not in skipped]
    # From all over the posters, since their order may be that of years or titles.
    chosen = np.linspace(0, len(files) - 1, min(len(files), SHEETS * SHEET_POSTERS)).round()
    rows = []
    for number in chosen.astype(int) if files else []:
        name, path = files[number]
        source = to_rgb(open_image(read_file(path)))
        pictures = [source, source.convert("L").convert("RGB")]
        pictures += [to_rgb(open_image((at / name).read_bytes())) for at in results.values()]
        for picture in pictures:
            picture.thumbnail((SHEET_SIDE, SHEET_SIDE), Image.Resampling.LANCZOS)
        rows.append(pictures)
    sheets = []
    for start in range(0, len(rows), SHEET_POSTERS):
        name = f"old-posters-{start // SHEET_POSTERS + 1}.jpg"
        sheet = contact_sheet(
            rows[start : start + SHEET_POSTERS], ["source", "gray", *results], SHEET_SIDE, 2
        )
        sheet.save(folder / name, quality=90)
        sheets.append(name)
    return sheets, list(skipped.items())


def _ways(models: dict[str, UsableModel]) -> Iterator[tuple[str, Painter, Decoding]]:
    """Return the ways to recolor old posters: as in the paper, and under a palette."""
    for kind, model in models.items():
        yield kind, model.painter, Decoding(palette=FREE)
        if model.painter.network.takes_palette:
            yield f"{kind} under a palette", model.painter, Decoding()


def _command(
    manifest: Manifest, old: list[Path], out: Path, scale: float, given: dict[str, str]
) -> str:
    """Return the command line that does the same, however this was asked for."""
    words = ["recolor", "reproduce", *data_options(manifest)]
    for place in old:
        words += ["--old", str(place)]
    words += ["--out", str(out), "--scale", str(scale)]
    for kind, source in given.items():
        words += [f"--{kind}", source]
    return shlex.join(words)


def _write_report(
    manifest: Manifest,
    weights: dict[str, Weights],
    columns: dict[str, dict[str, float | None]],
    curves: dict[str, list[str]],
    sheets: list[str],
    folder: Path,
    command: str,
) -> Path:
    counts = ", ".join(f"{manifest.count(name)} {name}" for name in SPLITS)
    facts = {
        "Posters": f"{counts}, at {manifest.size} pixels",
        "Data digest": f"`{manifest.digest}`",
        "Commit": _commit(origin()),
        "Versions": ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras")),
        "Command": f"`{command}`",
    }
    trainings = {
        kind: Training(
            [_in_words(stage) for stage in found.stages],
            curves[kind],
            f"Recolored at {found.size} pixels with T = {found.decoding.temperature:g}, vividness "
            f"{found.decoding.vividness:g}; embedding: {found.embedding}."
            + ("" if found.held_out_like(manifest.held_out) else f" It {MAY_KNOW}."),
        )
        for kind, found in weights.items()
    }
    text = report(facts, columns, trainings, sheets)
    file = folder / "report.md"
    page = html_page.page(text, folder)
    for path, content in ((file, text), (file.with_suffix(".html"), page)):
        with atomic_write(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return file


def _in_words(stage: dict) -> str:
    """Describe a training: an origin as of `recolor.platform.training.publication.best_weights`."""
    settings = stage["settings"]
    split = "validation" if "val_loss" in stage["history"][0] else "training"
    return (
        f"Epochs: {stage['epochs']} (the paper: {MODELS[settings['model']].epochs}), at "
        f"{stage['size']} pixels, batches of {settings['batch_size']}, learning rate "
        f"{settings['learning_rate']:g}, schedule {settings['schedule']}, augmentation "
        f"{settings['augment']}, {settings['precision']}. The best "
        f"epoch is {stage['best_epoch']}, with a {split} loss of {stage['best_loss']:.4g}. Data "
        f"digest `{stage['dataset_digest'][:12]}`, commit {_commit(stage['tags'], 12)}."
    )


def _commit(tags: dict[str, str], digits: int = 40) -> str:
    """Name the commit of tags of `origin`, and whether the code was changed since."""
    changed = ", changed" if tags.get(DIRTY_TAG) == "true" else ""
    return f"`{tags.get(COMMIT_TAG, 'unknown')[:digits]}`{changed}"
