"""What people read of a registered version: a short description, and a model card."""

from dataclasses import asdict

import numpy as np

from recolor.datasets.dataset_info import DatasetInfo
from recolor.evaluation.answers import (
    ANSWERS,
    FREE,
    GRAY,
    MEAN_COLOR,
    TOLD_PALETTE,
    Measured,
    MetricKey,
)
from recolor.evaluation.metrics.catalog import DEFAULT_METRIC, METRICS
from recolor.evaluation.tables import markdown, metric_table
from recolor.models.catalog import MODELS
from recolor.models.weights import Weights
from recolor.platform.tracking.provenance import COMMIT_TAG, DIRTY_TAG

CARD = "model_card.md"
# The pictures beside it, and what they show.
LEARNING_CURVE, PREDICTIONS = "learning_curve.png", "predictions.png"
PICTURES = {
    LEARNING_CURVE: "The loss of each epoch",
    PREDICTIONS: "Posters: gray, recolored without a palette, and true",
}


def description(manifest: DatasetInfo, weights: Weights, metrics: Measured) -> str:
    """Describe a version in two sentences.

    Args:
        manifest: The data set that it was trained on.
        weights: Its weights.
        metrics: As `recolor.evaluation.validation.validate` returns them.
    """
    known = shown_answers(metrics, DEFAULT_METRIC, ANSWERS)
    return described(manifest, weights, "posters", f"Its {DEFAULT_METRIC}", known)


def described(
    manifest: DatasetInfo, weights: Weights, posters: str, metric: str, known: str
) -> str:
    """Say in two sentences what a version was trained on, and how good it is.

    Args:
        manifest: The data set.
        weights: The version's weights.
        posters: What the posters are called.
        metric: What was measured.
        known: The values, in words; empty if there were no validation posters.
    """
    said = (
        f"A {weights.model} network, trained on {weights.origin['training_posters']:,} {posters} "
        f"of {manifest.size} pixels (data {manifest.digest[:12]})."
    )
    if not known:
        return f"{said} It was not validated."
    return f"{said} {metric} on {manifest.count('validation'):,} validation {posters}: {known}."


def model_card(manifest: DatasetInfo, weights: Weights, metrics: Measured) -> str:
    """Write a version's model card, as Markdown that shows `PICTURES` beside it.

    Args:
        manifest: The data set that it was trained on.
        weights: Its weights.
        metrics: As `recolor.evaluation.validation.validate` returns them.
    """
    sections = {
        "Data": listed(data_facts(manifest)),
        "Training": listed({**training_facts(weights), **asdict(weights.decoding)}),
        "Metrics": _metrics(manifest, metrics),
        "Pictures": "\n\n".join(f"![{words}]({name})" for name, words in PICTURES.items()),
        "Limits": "\n".join(f"- {limit}" for limit in _limits(manifest, weights, metrics)),
    }
    return written(
        f"Poster recolorer: {weights.model}", description(manifest, weights, metrics), sections
    )


def written(title: str, introduction: str, sections: dict[str, str]) -> str:
    """Write a page of Markdown.

    Args:
        title: Its title.
        introduction: What comes first.
        sections: Texts by their titles.
    """
    parts = [f"# {title}", introduction]
    for name, text in sections.items():
        parts += [f"## {name}", text.strip()]
    return "\n\n".join(parts) + "\n"


def data_facts(manifest: DatasetInfo) -> dict[str, object]:
    """Return what a network was trained on, in words by words."""
    counts = [
        f"{manifest.count(split):,} to {verb}"
        for split, verb in (("train", "train"), ("validation", "validate"), ("test", "test"))
    ]
    return {
        "data set": f"{manifest.name}, digest {manifest.digest}",
        "posters": ", ".join(counts),
        "size": f"squares of {manifest.size} pixels",
        "color classes": np.count_nonzero(manifest.cell_counts("train")),
        "embedding": manifest.embedding,
    }


def training_facts(weights: Weights) -> dict[str, object]:
    """Return how a network was trained, in words by words."""
    origin = weights.origin
    tags = origin["tags"]
    return {
        **{name: value for name, value in origin["settings"].items() if value is not None},
        "epochs": origin["epochs"],
        "best epoch": origin["best_epoch"],
        "earlier trainings": len(weights.stages) - 1,
        "backend": tags["backend"],
        "commit": tags.get(COMMIT_TAG, "unknown")
        + (", with changes" if tags.get(DIRTY_TAG) == "true" else ""),
    }


def _metrics(manifest: DatasetInfo, metrics: Measured) -> str:
    if not metrics:
        return "There were no validation posters, so nothing was measured."
    table = answer_table(metrics, ANSWERS)
    return (
        f"On the {manifest.count('validation'):,} validation posters. Told the palette, an answer "
        "knows which colors the poster has, and how much of each, but not where. Gray and the mean "
        f"color of the training posters need no network.\n\n{table}"
    )


def _limits(manifest: DatasetInfo, weights: Weights, metrics: Measured) -> list[str]:
    limits = [
        "A gray poster has many right colors. The answer is a plausible one, and often not the "
        "true one, above all for clothes, letters and plain backgrounds.",
        f"It learned from {weights.origin['training_posters']:,} posters and nothing else: other "
        "kinds of pictures may come out wrong.",
        f"It looks at {weights.size} pixels. Finer details get their colors from what is around "
        "them.",
        "The validation posters also chose the best epoch and calibrated the colors, so other "
        "posters may come out a little worse: `recolor evaluate` measures the test posters.",
    ]
    if not MODELS[weights.model].takes_palette:
        limits.append("It takes neither palettes nor hints.")
    metric = METRICS[DEFAULT_METRIC]
    for answer, words in ((FREE, "free answer"), (TOLD_PALETTE, "answer when told the palette")):
        value = metrics.get(MetricKey(answer, metric.name))
        for baseline in (GRAY, MEAN_COLOR):
            other = metrics.get(MetricKey(baseline, metric.name))
            if None not in (value, other) and metric.is_better(other, than=value):
                limits.append(
                    f"Its {words} is worse than {ANSWERS[baseline]}: {metric.name} {value:.4g}, "
                    f"not {other:.4g}."
                )
    return limits


def shown_answers(metrics: Measured, metric: str, answers: dict[str, str]) -> str:
    """Return a metric of some answers, named in words, as far as it is known."""
    values = {words: metrics.get(MetricKey(answer, metric)) for answer, words in answers.items()}
    return ", ".join(f"{words} {value:.4g}" for words, value in values.items() if value is not None)


def answer_table(metrics: Measured, answers: dict[str, str]) -> str:
    """Return a table of the answers that were measured, named in words, as Markdown."""
    columns: dict[str, dict[str, float]] = {}
    for answer, words in answers.items():
        if known := {key.metric: value for key, value in metrics.items() if key.answer == answer}:
            columns[words] = known
    return markdown(metric_table(columns))


def listed(facts: dict[str, object]) -> str:
    """List facts, one a line."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())
