"""The command line: `recolor`.

Commands import what they need when they run, so that `recolor --help` answers at once.
"""

import json
import math
import os
import sys
from dataclasses import fields, replace
from pathlib import Path

# Set before TensorFlow is imported: its start-up notices are no news to a user.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.augmentation.catalog import names_of
from recolor.datasets.errors import RecolorError, first_line
from recolor.datasets.splits import SPLITS, parse_split
from recolor.models.decoding.options import Decoding

MODEL_KINDS = ("regression", "classification")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCHEDULES = ("plateau", "cosine")
KERAS_BACKENDS = ("tensorflow", "jax", "torch")
PATH = click.Path(path_type=Path)
COUNT = click.IntRange(1)
FILE = click.Path(path_type=Path, dir_okay=False)
SEED = click.IntRange(0, 2**32 - 1)


class Finite(click.FloatRange):
    """A range of numbers, of which nan and infinity are none."""

    def convert(self, value, param, ctx):
        """Convert what was typed."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def _check_recipe(context, parameter, recipe):
    """Refuse a recipe that names what is no augmentation."""
    if recipe is not None:
        names_of(recipe)
    return recipe


EVALUATED_PALETTE = (
    "Colors to decode all posters under, where --told does not say: auto, none, a scheme's name or "
    "number, another picture's path, or colors as #0b3c5d,orange:3.  [default: none]"
)


def decoding_options(*left_out, **other_help):
    """Give a command the options of `Decoding`, but for those that make no sense for it.

    Args:
        left_out: The names of those.
        other_help: Help of options that mean something else for this command.
    """

    def decorate(command):
        for option in reversed(fields(Decoding)):
            if option.name in left_out:
                continue
            about = dict(option.metadata)
            kind, more = str, {}
            if "range" in about:
                kind = Finite(*about["range"])
            elif "choices" in about:
                kind = click.Choice(about["choices"])
            elif option.name == "hint":
                more = {"multiple": True, "metavar": "X,Y=COLOR"}
            else:
                more = {"metavar": "source|auto|none|NAME|FILE|COLORS"}
            command = click.option(f"--{option.name}", type=kind, help=about["help"], **more)(
                command
            )
        return command

    return decorate


TEMPERATURE, VIVIDNESS = (
    Finite(*option.metadata["range"])
    for option in fields(Decoding)
    if option.name in ("temperature", "vividness")
)
LIBRARY = click.option(
    "--library",
    type=FILE,
    help="Use this library, from `recolor palettes --make`, instead of recolor's own.",
)
LEARNING_RATE = Finite(0, 1, min_open=True)


class Commands(click.Group):
    """A group whose commands turn a user's mistakes into one clear line."""

    def list_commands(self, ctx):
        """List the commands in the order in which they are used."""
        return list(self.commands)

    def invoke(self, ctx):
        """Run a command."""
        try:
            return super().invoke(ctx)
        except RecolorError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
            raise click.ClickException(f"{reason}{where}") from None
        except KeyboardInterrupt:
            raise click.ClickException("interrupted") from None
        except Exception as error:
            message = _known_failure(error)
            if message is None:
                raise
            raise click.ClickException(message) from None


def _known_failure(error: Exception) -> str | None:
    """Put what is not installed, and failures of MLflow and TensorFlow, into one line."""
    reason = first_line(error)[:300]
    if isinstance(error, ModuleNotFoundError) and error.name in (*KERAS_BACKENDS, "mlflow"):
        return (
            f"{error.name} is not installed; `recolor train --untracked` needs only the framework "
            "that KERAS_BACKEND names"
        )
    if "mlflow.exceptions" in sys.modules:
        from mlflow.exceptions import MlflowException

        if isinstance(error, MlflowException):
            return f"MLflow: {reason}"
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        if isinstance(error, tf.errors.OpError):
            return f"TensorFlow: {reason}"
    return None


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Any option may come from the environment, as RECOLOR_TRAIN_EPOCHS for `train --epochs`; an
        # empty variable counts as none. This is how MLflow Projects pass parameters on.
        "auto_envvar_prefix": "RECOLOR",
    },
)
@click.version_option(package_name="recolor")
def main():
    """Recolor movie posters.

    Prepare posters, train a network, evaluate it, promote it, apply it. Runs and models are kept
    in the MLflow store that MLFLOW_TRACKING_URI names, or in the folder mlruns.
    """


@main.command()
@click.option("--out", type=PATH, required=True, help="Folder to write to.")
@click.option("--count", type=click.IntRange(1), default=300, show_default=True)
@click.option("--era", type=click.Choice(["modern", "old"]), default="modern", show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True)
def demo_posters(out, count, era, seed):
    """Draw posters to try the platform with: fresh ones, or faded old ones."""
    from recolor.datasets.demo_posters import generate_demo_posters

    for _ in _bar(count, "drawing", generate_demo_posters(out, count, era, seed)):
        pass
    click.echo(f"{count} {era} posters in {out}")


@main.command()
@click.argument("images", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, default="data", show_default=True, help="Folder to write to.")
@click.option(
    "--size", type=click.IntRange(8), default=256, show_default=True, help="Side in pixels."
)
@click.option(
    "--split",
    default="0.8,0.1,0.1",
    show_default=True,
    metavar="TRAIN,VALIDATION,TEST",
    help="Three counts, or three shares.",
)
@click.option(
    "--embedding",
    default="none",
    show_default=True,
    metavar="imagenet|random|none|PATH",
    help="Weights of Inception-ResNet-v2: downloaded, random, or from a file; none leaves it out.",
)
@click.option(
    "--workers", type=COUNT, help="Processes that read images.  [default: one for each core]"
)
# On 10,800 posters and over 16 seeds, 800 test posters have 362 to 388 color classes; the posters
# of this seed are typical by all measures.
@click.option("--seed", type=SEED, default=10, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace a data set that is there already.")
def prepare(images, out, size, split, embedding, workers, seed, overwrite):
    """Make a data set of image files and folders.

    Images that can't be used are skipped and listed in skipped.tsv. An interrupted run goes on
    where it stopped when it is started again.
    """
    split = parse_split(split)
    from recolor.datasets.preparation import SKIPPED_FILE
    from recolor.datasets.preparation import prepare as prepare_dataset
    from recolor.evaluation.figures import class_distribution
    from recolor.evaluation.scoring import preview_sheet

    with _bar(None, "reading") as bar:

        def show(done, total, skipped):
            bar.total = total
            bar.set_postfix_str(f"{skipped} skipped" if skipped else "", refresh=False)
            bar.update(done - bar.n)

        manifest, skipped = prepare_dataset(
            list(images),
            out,
            size=size,
            split=split,
            embedding=embedding,
            seed=seed,
            workers=workers or os.cpu_count() or 1,
            overwrite=overwrite,
            progress=show,
        )
    first = next(name for name in SPLITS if manifest.count(name))
    class_distribution({first: manifest.cell_counts(first)}).savefig(out / "classes.png", dpi=150)
    preview_sheet(manifest, first).save(out / "preview.png")
    counts = ", ".join(f"{manifest.count(name)} {name}" for name in SPLITS)
    click.echo(f"{counts} posters in {out}, digest {manifest.digest[:12]}")
    posters = manifest.content["posters"]
    left_over = posters["found"] - posters["skipped"] - posters["used"]
    if left_over:
        click.echo(f"{left_over} more posters were left over by --split")
    if skipped:
        _report_skipped(skipped, f"all of them in {out / SKIPPED_FILE}")


@main.command()
@click.option("--data", type=PATH, default="data", show_default=True, help="Prepared data set.")
@click.option("--model", type=click.Choice(MODEL_KINDS), help="Kind of network.")
@click.option("--epochs", type=COUNT, help="[default: 180 or 260, as in the paper]")
@click.option("--batch-size", type=COUNT, help="[default: 50 or 20, as in the paper]")
@click.option(
    "--learning-rate",
    type=LEARNING_RATE,
    help="Of Adam, at the start.  [default: 1e-4]",
)
@click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    help="Halve the learning rate after 10 epochs without a lower loss, or lower it in every epoch "
    "along a cosine.  [default: plateau]",
)
@click.option(
    "--augment",
    metavar="RECIPE",
    callback=_check_recipe,
    help="What is done to posters at random: mirror, crop, gamma (bends the lightness), joined as "
    "mirror+crop+gamma, for which crop stands alone, too; or full: mirrors, turns and zooms.  "
    "[default: none]",
)
@click.option(
    "--temperature",
    type=TEMPERATURE,
    help="T of the annealed mean (classification). [default: 0.38]",
)
@click.option(
    "--vividness",
    type=VIVIDNESS,
    help="Of the trained model, where none is asked for; the training does not depend on it.  "
    "[default: 0]",
)
@click.option("--seed", type=SEED, help="[default: 0]")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="What layers compute in; weights and losses are float32.  [default: float32]",
)
@click.option(
    "--jit/--no-jit", default=None, help="Compile the step.  [default: where it is known to help]"
)
@click.option(
    "--accumulate", type=COUNT, metavar="STEPS", help="Average the gradients of so many steps."
)
@click.option(
    "--clip",
    type=Finite(0, min_open=True),
    metavar="NORM",
    help="Scale longer gradients down to this norm.",
)
@click.option(
    "--initial-weights",
    metavar="FILE|URI|KIND",
    type=str,
    help="Begin with these weights, for example of a training on smaller pictures, or with those "
    "that come with recolor.",
)
@click.option(
    "--resume",
    metavar="RUN_ID",
    type=str,
    help="Go on with a run, by its own settings; only --epochs may differ.",
)
@click.option(
    "--untracked",
    type=FILE,
    metavar="FILE",
    help="Train without MLflow and TensorFlow into a file, or go on with it: see import-weights.",
)
def train(data, resume, untracked, **options):
    """Train a network, track it in MLflow and register the result.

    KERAS_BACKEND chooses the framework: tensorflow, jax or torch. TF_CONFIG makes this process one
    of several workers of TensorFlow, which share each batch.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not resume and "model" not in given:
        raise click.UsageError("Missing option '--model' (or '--resume').")
    _check_backend()
    if resume and untracked:
        raise click.UsageError("--untracked goes on with its file: --resume is for tracked runs")
    from recolor.datasets.manifest import Manifest

    manifest = Manifest.load(data)
    if untracked:
        _train_untracked(manifest, given, untracked)
        return
    _quiet()
    from recolor.platform.tracking import store
    from recolor.platform.training import tracked
    from recolor.platform.training.loop import Settings

    store.connect()
    settings = replace(tracked.saved_settings(resume), **given) if resume else Settings(**given)
    trained = tracked.train(manifest, settings, resume, started=_say_how_to_resume)
    if trained is not None:
        _say_what_was_trained(trained)


@main.command()
@click.argument("file", type=FILE)
@click.option("--data", type=PATH, default="data", show_default=True, help="What it learned from.")
@click.option(
    "--temperature", type=TEMPERATURE, help="T of the annealed mean.  [default: as trained with]"
)
@click.option(
    "--vividness", type=VIVIDNESS, help="Where none is asked for.  [default: as trained with]"
)
def import_weights(file, data, **decoding):
    """Make a tracked run and a registered model of a file of `train --untracked`."""
    from recolor.datasets.manifest import Manifest

    manifest = Manifest.load(data)
    _use_tensorflow()
    _quiet()
    from recolor.platform.registry import publication
    from recolor.platform.tracking import store

    store.connect()
    given = {name: value for name, value in decoding.items() if value is not None}
    _say_what_was_trained(publication.import_weights(manifest, file, **given))


def _train_untracked(manifest, given, file):
    _ignore_warnings()
    from recolor.platform.training.loop import Settings
    from recolor.platform.training.untracked import train_untracked

    checkpoint = train_untracked(manifest, Settings(**given), file)
    if checkpoint is None:
        return
    progress = checkpoint.progress
    click.echo(
        f"{progress.epoch} epochs in {file}, the best is {progress.best_epoch}: "
        f"register it with `recolor import-weights {file} --data {manifest.folder}`"
    )


def _say_what_was_trained(trained):
    if trained.metrics:
        click.echo(_summary(trained.metrics))
    click.echo(f"run {trained.run_id}, registered as version {trained.version}")


def _say_how_to_resume(run_id):
    click.echo(f"run {run_id}; if it is interrupted: recolor train --resume {run_id}")


@main.command()
@click.option("--data", type=PATH, default="data", show_default=True, help="Prepared data set.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option(
    "--model",
    multiple=True,
    metavar="URI|FILE|regression|classification",
    help="A registered model, a file of weights, or one that comes with recolor. May be repeated.",
)
@click.option(
    "--told",
    multiple=True,
    metavar="nothing|auto|palette|bestN|hintsN|palette+hintsN",
    help="What the models are told of each poster: nothing, its own palette, its true color at N "
    "points; or they choose a scheme (auto), or make N suggestions, of which the best counts. May "
    "be repeated.  [default: nothing]",
)
@decoding_options("keep", "contrast", "hint", palette=EVALUATED_PALETTE)
@LIBRARY
@click.option("--markdown", type=FILE, metavar="FILE", help="Write the table as Markdown.")
@click.option(
    "--json",
    "json_file",
    type=FILE,
    metavar="FILE",
    envvar="RECOLOR_EVALUATE_JSON",
    help="Write the figures as JSON.",
)
def evaluate(data, split, model, told, library, markdown, json_file, **options):
    """Compute all metrics of models, and of answers without a model, over a split.

    Answers are only to be compared with those that were told the same: every column says it.
    """
    decoding = _decoding(options, library)
    from recolor.datasets.manifest import Manifest

    manifest = Manifest.load(data)
    _use_tensorflow()
    _quiet()
    from recolor.evaluation import tables
    from recolor.evaluation.told import NOTHING, Told
    from recolor.platform.experiments.evaluation import evaluate_models
    from recolor.platform.registry.load import load
    from recolor.platform.tracking import store

    told = told or (NOTHING,)
    for text in told:
        Told.parse(text)
    store.connect()
    models = [load(source, library) for source in model]
    with _bar(manifest.count(split), "evaluating") as bar:
        columns = evaluate_models(manifest, split, models, decoding, told, bar.update)
    report = tables.report(columns)
    if markdown:
        _write(markdown, report)
    if json_file:
        content = {"digest": manifest.digest, "split": split, "columns": columns}
        _write(json_file, json.dumps(content, indent=2) + "\n")
    click.echo(report, nl=False)


@main.command()
@click.option("--data", type=PATH, default="data", show_default=True, help="Prepared data set.")
@click.option("--old", multiple=True, type=PATH, help="Old posters to recolor. May be repeated.")
@click.option(
    "--out", type=PATH, default="reproduction", show_default=True, help="Folder to write to."
)
@click.option(
    "--scale",
    type=Finite(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the paper's 180 and 260 epochs.",
)
@click.option(
    "--regression",
    metavar="URI|FILE|regression",
    type=str,
    help="A trained network, instead of training it.",
)
@click.option(
    "--classification",
    metavar="URI|FILE|classification",
    type=str,
    help="The same for the other network.",
)
def reproduce(data, old, out, scale, regression, classification):
    """Do the paper's experiment: train both networks, evaluate them, report.

    An interrupted one goes on where it stopped when it is started again.
    """
    _check_backend()
    from recolor.datasets.manifest import Manifest

    manifest = Manifest.load(data)
    _quiet()
    from recolor.evaluation import tables
    from recolor.platform.experiments import reproduction
    from recolor.platform.tracking import store

    store.connect()
    done = reproduction.reproduce(
        manifest,
        list(old),
        out,
        scale=scale,
        given={"regression": regression, "classification": classification},
        echo=click.echo,
        bar=_bar,
    )
    click.echo(tables.report(done.columns), nl=False)
    if done.skipped:
        _report_skipped(done.skipped)
    click.echo(f"report: {done.report.with_suffix('.html')}")


@main.command()
@click.option("--version", type=str, metavar="NUMBER", help="[default: the best one]")
@click.option("--metric", default="l2_ab", show_default=True, help="What decides, in validation.")
@click.option("--force", is_flag=True, help="Even a worse version, or one validated on other data.")
@click.option("--rollback", is_flag=True, help="Go back to the champion before.")
def promote(version, metric, force, rollback):
    """Make the best registered version the champion."""
    from recolor.evaluation.metrics import METRICS

    rankable = [name for name, (_, more_is_better) in METRICS.items() if more_is_better is not None]
    if metric not in rankable:
        raise click.BadParameter(
            f"{metric!r} is not one of {', '.join(rankable)}.", param_hint="'--metric'"
        )
    if rollback and (version or force):
        raise click.UsageError("--rollback goes with neither --version nor --force")
    _quiet()
    from recolor.platform.registry import promotion
    from recolor.platform.tracking import store

    store.connect()
    _, message = promotion.rollback() if rollback else promotion.promote(metric, version, force)
    click.echo(message)


@main.command()
@click.argument("images", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder to write to.")
@click.option(
    "--model",
    metavar="URI|FILE|regression|classification",
    type=str,
    help="A registered model, a file of weights, or one that comes with recolor.  "
    "[default: the champion, or else classification]",
)
@decoding_options()
@click.option(
    "--suggestions",
    type=click.IntRange(1, 99),
    metavar="N",
    help="Make N versions of each image, poster.1.jpg, poster.2.jpg, ...: in its own colors, if it "
    "has any, in the best-fitting scheme, and in others unlike it.",
)
@click.option(
    "--hints",
    type=FILE,
    metavar="FILE",
    help='Hints for many images: {"poster.jpg": ["120,80=#c1121f", ...], ...}',
)
@LIBRARY
@click.option("--sheet/--no-sheet", help="Make a sheet of posters before and after, too.")
def apply(images, out, model, suggestions, hints, library, sheet, **options):
    """Recolor images at their own resolution."""
    from recolor.datasets.hints import load_hints
    from recolor.datasets.images import find_images

    # What is typed wrong is said before the seconds that loading a model takes.
    find_images(list(images))
    decoding = _decoding(options, library)
    hints = load_hints(hints) if hints else {}
    if suggestions and decoding.palette is not None:
        raise click.UsageError("--suggestions chooses its own palettes: leave out --palette")
    _use_tensorflow()
    _quiet()
    from recolor.platform.registry.load import load
    from recolor.platform.serving.files import recolor_files

    chosen = load(model, library)
    outcome = recolor_files(
        chosen.painter,
        list(images),
        out,
        decoding=decoding,
        hints=hints,
        suggestions=suggestions or 0,
        sheet=sheet,
        progress=lambda files: _bar(len(files), "recoloring", files),
    )
    click.echo(f"{len(outcome.written)} recolored in {out} by {chosen.source}")
    if used := {name: count for name, count in outcome.palettes.most_common() if name}:
        shown = [f"{name} ({count})" if count > 1 else name for name, count in used.items()]
        more = f"; {len(shown) - 6} more" if len(shown) > 6 else ""
        click.echo(f"colors: {'; '.join(shown[:6])}{more}")
    if outcome.sheet:
        click.echo(f"before and after: {outcome.sheet}")
    if outcome.skipped:
        _report_skipped(outcome.skipped)
    if not outcome.written:
        raise click.ClickException("no image could be recolored")


@main.command()
@click.option("--make", type=PATH, metavar="DATA", help="Make a library of a prepared data set.")
@click.option(
    "--count",
    type=click.IntRange(2, 256),
    default=24,
    show_default=True,
    help="With --make: number of schemes.",
)
@click.option("--out", type=FILE, metavar="FILE", help="With --make: the library's file.")
@click.option("--chart", type=FILE, metavar="FILE", help="Draw the color schemes as one picture.")
@LIBRARY
def palettes(make, count, out, chart, library):
    """List the color schemes to choose from, or make new ones from a data set."""
    from recolor.datasets.palettes.library import load_library

    if bool(make) != bool(out):
        raise click.UsageError("--make and --out go together")
    if not make:
        found = load_library(library)
    else:
        from recolor.datasets.manifest import Manifest
        from recolor.datasets.palettes.schemes import library_of

        manifest = Manifest.load(make)
        with _bar(manifest.count("train"), "counting") as bar:
            found = library_of(manifest, count, bar.update)
        with atomic_write(out) as temporary:
            found.save(temporary)
    for number, (palette, share) in enumerate(
        zip(found.palettes, found.commonness, strict=True), 1
    ):
        colors = " ".join(color for color, _ in palette.swatch)
        click.echo(f"{number:3}  {100 * share:4.1f} %  {palette.name:34}  {colors}")
    if chart:
        from recolor.evaluation.figures import palette_chart

        picture = palette_chart(found.palettes, found.commonness)
        with atomic_write(chart) as temporary:
            picture.save(temporary, "PNG")
        click.echo(f"drawn: {chart}")


@main.command()
@click.option("--out", type=PATH, default="demo", show_default=True, help="Folder to write to.")
def demo(out):
    """Show color schemes, then everything else, on posters drawn for it."""
    _use_tensorflow()
    _quiet()
    import mlflow

    from recolor.platform.experiments.demo import run_demo
    from recolor.platform.tracking import store

    store.connect()
    shown = run_demo(out, echo=click.echo)
    click.echo("\nPictures to look at:")
    for words, picture in shown:
        click.echo(f"  {words}: {picture}")
    click.echo(f"Runs and models: mlflow ui --backend-store-uri {mlflow.get_tracking_uri()}")


def _decoding(options: dict, library: Path | None) -> Decoding:
    """Make a decoding of what was typed.

    Raises:
        RecolorError: If there is no such palette, or a hint is none.
    """
    # An empty one counts as none, as in the environment.
    given = {name: value for name, value in options.items() if value not in (None, (), "")}
    if "hint" in given:
        from recolor.datasets.hints import parse_hints

        given["hint"] = parse_hints(given["hint"])
    if text := given.get("palette"):
        from recolor.datasets.images import ImageError, open_image, to_rgb
        from recolor.datasets.palettes.library import load_library
        from recolor.datasets.palettes.palette import Palette
        from recolor.models.painter import names_palette

        schemes = load_library(library)
        if not names_palette(text, schemes):
            try:
                picture = to_rgb(open_image(Path(text).read_bytes()))
            except OSError:
                # It is no file either: the library says what there is.
                schemes[text]
            except ImageError as error:
                raise ImageError(f"{text}: {error}") from None
            given["palette"] = Palette.of_picture(picture, f"those of {text}")
    return Decoding(**given)


def _check_backend() -> None:
    if os.environ.get("KERAS_BACKEND", "tensorflow") not in KERAS_BACKENDS:
        raise click.UsageError(f"KERAS_BACKEND is none of {', '.join(KERAS_BACKENDS)}")


def _use_tensorflow() -> None:
    """Let Keras use TensorFlow: whatever has trained a model, its graph is TensorFlow's."""
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _ignore_warnings() -> None:
    """Silence warnings of the libraries that are no news to a user; ours stay."""
    import warnings

    warnings.filterwarnings("ignore", module="keras|mlflow|tensorflow")


def _quiet() -> None:
    """Silence the libraries' warnings and MLflow's notices, for commands that use MLflow."""
    import logging

    _ignore_warnings()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # noqa: F401 - it sets up its loggers when it is imported

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _bar(total, label, items=None):
    from tqdm import tqdm

    return tqdm(items, total=total, desc=label, unit=" posters", dynamic_ncols=True)


def _summary(metrics) -> str:
    shown = ("l2_ab", "n_classes", "accuracy_1_poster", "colorfulness")
    return "validation: " + ", ".join(f"{name} {metrics[name]:.4g}" for name in shown)


def _report_skipped(skipped, more="", most=5) -> None:
    for name, reason in skipped[:most]:
        click.echo(f"skipped {name}: {reason}", err=True)
    rest = f" ({len(skipped) - most} more)" if len(skipped) > most else ""
    click.echo(f"{len(skipped)} skipped{rest}" + (f", {more}" if more else ""), err=True)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
