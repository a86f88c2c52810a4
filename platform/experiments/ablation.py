"""An ablation: variants of a training, each judged by the same validation posters.

Every variant is a run within the ablation's own. A variant is known by the values that its result
depends on, whether they come from the file, from defaults or from the network's attributes. So the
same command continues after an interruption, and trains again only what has changed. What it can't
see is other changes of the code; therefore the table shows the commit of each result.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev

import keras
import mlflow
from mlflow.entities import Run
from tqdm import tqdm

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.combination import load_data
from recolor.datasets.manifest import Manifest
from recolor.evaluation.answers import MetricKey
from recolor.evaluation.figures import dots
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.kernel_distance import KernelDistance
from recolor.evaluation.scoring import score, with_kernel_distance
from recolor.evaluation.tables import markdown
from recolor.evaluation.told import PALETTE, PALETTE_SOURCE, Told
from recolor.models.catalog import MODELS
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.weights import Weights
from recolor.platform.experiments.ablation_plan import AblationError, AblationPlan, Variant
from recolor.platform.experiments.evaluation import log_columns, predictors_told
from recolor.platform.registry.model import Model, load_model
from recolor.platform.registry.sources import WEIGHTS_FILE
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.checkpoints import checkpoint_or_none
from recolor.platform.tracking.lost_runs import alone_with
from recolor.platform.tracking.metric_names import answer_metric
from recolor.platform.tracking.provenance import commit_in_words
from recolor.platform.tracking.store import (
    log_dataset,
    log_parameters,
    runs_within,
    tracked_run,
)
from recolor.platform.training.devices import Devices, find_devices
from recolor.platform.training.lineage import training_in_words
from recolor.platform.training.publication import best_weights
from recolor.platform.training.settings import DivergenceError
from recolor.platform.training.tracked import initial_weights, train_in_run

# Tags: an ablation's name; and of a variant's run its name, and a digest of what it depends on.
ABLATION_TAG, VARIANT_TAG, DIGEST_TAG = "ablation", "ablation.variant", "ablation.digest"
# Why a variant has no result.
DIVERGED_TAG = "ablation.diverged"


@dataclass
class Ablation:
    """What `ablate` made.

    Attributes:
        report: The table as Markdown; the same as a picture lies beside it.
        results: The runs of each variant's trainings by the variant's name; a training that
            diverged has no metrics of answers.
    """

    report: Path
    results: dict[str, list[Run]] = field(default_factory=dict)

    def describe(self) -> list[dict]:
        """Return what `recolor ablate --json` prints: each training, with all of its metrics."""
        return [
            {
                "variant": name,
                "run_id": run.info.run_id,
                "commit": commit_in_words(run.data.tags),
                "diverged": run.data.tags.get(DIVERGED_TAG),
                "metrics": run.data.metrics,
            }
            for name, runs in self.results.items()
            for run in runs
        ]


def ablate(
    plan: AblationPlan,
    file: Path,
    out: Path,
    *,
    echo: Callable[[str], None],
    bar: Callable[..., tqdm],
) -> Ablation:
    """Train and judge all variants that have not been judged yet.

    Table and picture are rewritten after each.

    Args:
        plan: The ablation.
        file: The file that it was read from.
        out: Folder to write to.
        echo: Takes the lines that say what is being done.
        bar: Makes a progress bar from a number of posters and a label.

    Raises:
        AblationError: If a variant learns from posters that others are judged by, the posters to
            judge by are missing, or this is one of several TensorFlow workers.
        BusyRunError: If another process does this ablation.
        DatasetError, DeviceError, TrainingError, WeightsError: If a variant can't be trained.
    """
    if os.environ.get("TF_CONFIG"):
        raise AblationError("every variant is trained by one process: unset TF_CONFIG")
    devices = find_devices()
    trained = [(variant, load_data(variant.data)) for variant in plan.variants]
    judge = _Judge(trained[0][1], plan, bar)
    for variant, manifest in trained:
        if manifest.held_out != judge.manifest.held_out:
            raise AblationError(
                f"{variant.name}: {manifest} holds out other posters than {judge.manifest}"
            )
    made = Ablation(out / f"{plan.name}.md")
    posters = f"{judge.posters} validation posters of `{judge.manifest.name}`"
    about = f"Compares {len(trained)} trainings by {posters}."
    with _whole_run(plan.name, about) as run:
        mlflow.log_artifact(str(file))
        log_dataset(judge.manifest, "validation")
        for variant, manifest in trained:
            initial = initial_weights(manifest, variant.settings)
            digest = _digest(variant, manifest, judge, initial)
            earlier = next(iter(runs_within(run, DIGEST_TAG, digest)), None)
            if earlier and earlier.info.status == "FINISHED":
                result = earlier
                echo(f"{variant}: judged already, at commit {commit_in_words(result.data.tags)}")
            else:
                count = f"{manifest.count('train')} training posters of {manifest}"
                echo(f"{variant}: {variant.settings.model}, {count}")
                tags = {VARIANT_TAG: variant.name, DIGEST_TAG: digest}
                result = _train_and_judge(
                    variant, manifest, judge, devices, earlier, initial, tags, echo
                )
                keras.backend.clear_session()
            made.results.setdefault(variant.name, []).append(result)
            _write(made, plan)
        for path in (made.report, made.report.with_suffix(".png")):
            mlflow.log_artifact(str(path))
    return made


@dataclass
class _Judge:
    """Measures networks by the same posters.

    Attributes:
        manifest: The data set of the posters.
        plan: How they are judged.
        bar: Makes a progress bar from a number of posters and a label.
    """

    manifest: Manifest
    plan: AblationPlan
    bar: Callable[..., tqdm]

    def __post_init__(self):
        if not self.posters:
            raise AblationError(f"{self.manifest} has no validation posters to judge by")

    @property
    def posters(self) -> int:
        """How many posters there are."""
        there = self.manifest.count("validation")
        return min(there, self.plan.posters or there)

    @property
    def about(self) -> dict:
        """All that a result depends on, beside the network."""
        return {
            "dataset_digest": self.manifest.digest,
            "told": self.plan.told,
            "posters": self.posters,
            "kernel_distance": self.plan.kernel_distance,
            **self.plan.decoding.describe(),
            **asdict(self.own),
        }

    @property
    def own(self) -> OwnDecoding:
        """What the networks decode with."""
        return OwnDecoding().changed(self.plan.decoding)

    @cached_property
    def metrics(self) -> dict:
        """What makes each metric, by name."""
        if self.plan.kernel_distance:
            return with_kernel_distance(self.manifest, "validation")
        return dict(METRICS.items())

    def measure(self, weights: Path) -> dict[str, dict[str, float | None]]:
        """Measure a network; the columns are what it is told, as far as it takes that."""
        model = load_model(str(weights))
        told = [text for text in self.plan.told if _can_be_told(model, Told.parse(text))]
        answers = predictors_told(model, self.manifest, told, self.plan.decoding) if told else {}
        predictors = dict(zip(told, answers.values(), strict=True))
        with self.bar(self.posters, "judging") as shown:
            measured = score(
                self.manifest, "validation", predictors, shown.update, self.metrics, self.posters
            )
        return {name: metrics.result() for name, metrics in measured.items()}


@contextmanager
def _whole_run(name: str, about: str) -> Iterator[mlflow.ActiveRun]:
    """Begin an ablation's run, or continue the one of this name."""
    earlier = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f'tags.`{ABLATION_TAG}` = "{name}"',
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    run_id = earlier[0].info.run_id if earlier else None
    with (
        alone_with(run_id) if run_id else nullcontext(),
        tracked_run(f"ablate {name}", about, run_id, {ABLATION_TAG: name}) as run,
    ):
        yield run


def _can_be_told(model: Model, told: Told) -> bool:
    """Whether a network answers at all to what is told: to a gray poster, or to a colored one."""
    if model.restores or told.age:
        return model.restores and bool(told.age)
    return told == Told() or model.painter.network.takes_palette


def _digest(variant: Variant, manifest: Manifest, judge: _Judge, initial: Weights | None) -> str:
    """Digest all that a result depends on, but for the code itself: values, not their names."""
    settings = variant.settings.complete()
    about = [
        asdict(settings),
        MODELS[settings.model].attributes(),
        initial.digest if initial else None,
        manifest.digest,
        judge.about,
    ]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _train_and_judge(
    variant: Variant,
    manifest: Manifest,
    judge: _Judge,
    devices: Devices,
    earlier: Run | None,
    initial: Weights | None,
    tags: dict[str, str],
    echo: Callable[[str], None],
) -> Run:
    """Train a variant, or continue its earlier run, and log what it comes to."""
    settings = variant.settings.complete()
    run_id = earlier.info.run_id if earlier else None
    start = checkpoint_or_none(run_id) if run_id else None
    with tracked_run(str(variant), training_in_words(manifest, settings), run_id, tags) as run:
        try:
            last = train_in_run(run, manifest, settings, judge.own, devices, start, initial)
            log_parameters(run, {f"judged.{name}": value for name, value in judge.about.items()})
            log_columns(_measure(manifest, last, judge))
        except DivergenceError as error:
            mlflow.set_tag(DIVERGED_TAG, str(error))
            echo(f"{variant}: {error}")
    return mlflow.get_run(run.info.run_id)


def _measure(manifest: Manifest, last: Checkpoint, judge: _Judge) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / WEIGHTS_FILE
        best_weights(manifest, last, judge.own).save(file)
        mlflow.log_artifact(str(file))
        return judge.measure(file)


def _write(made: Ablation, plan: AblationPlan) -> None:
    """Write table and picture of what is there so far."""
    metrics = {words: answer_metric(key) for key, words in _shown(plan).items()}
    shown = {
        words: {
            name: [run.data.metrics[metric] for run in runs if metric in run.data.metrics]
            for name, runs in made.results.items()
        }
        for words, metric in metrics.items()
    }
    rows = [["variant", *shown, "commit"]]
    for name, runs in made.results.items():
        commits = dict.fromkeys(commit_in_words(run.data.tags) for run in runs)
        rows.append([name, *(_cell(column[name]) for column in shown.values()), " ".join(commits)])
    with atomic_write(made.report) as temporary:
        temporary.write_text(markdown(rows), encoding="utf-8")
    with atomic_write(made.report.with_suffix(".png")) as temporary:
        dots(shown).savefig(temporary, format="png", dpi=100)


def _shown(plan: AblationPlan) -> dict[MetricKey, str]:
    """Return which metrics are shown, by the words for them."""
    found = {MetricKey(told, "l2_ab"): f"L2ab, told {told}" for told in plan.told}
    # Whether what has one color in the source has one color in the answer.
    if PALETTE_SOURCE in plan.told:
        found[MetricKey(PALETTE_SOURCE, "evenness")] = f"evenness, told {PALETTE_SOURCE}"
    # As colorful answers are to be compared, and of the fullest one.
    most = PALETTE if PALETTE in plan.told else plan.told[-1]
    found[MetricKey(most, "colorfulness")] = f"colorfulness, told {most}"
    if plan.kernel_distance:
        found[MetricKey(most, KernelDistance.name)] = f"kernel distance, told {most}"
    return found


def _cell(values: list[float]) -> str:
    """Return the mean of some trainings, and their standard deviation."""
    if not values:
        return "-"
    deviation = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{deviation}"
