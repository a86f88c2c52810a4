"""What people read of a registered restoration network: a short description, and a model card."""

from recolor.datasets.dataset_info import DatasetInfo
from recolor.evaluation.answers import RESTORED_ANSWERS, Measured
from recolor.models.weights import Weights
from recolor.platform.registry.model_card import (
    LEARNING_CURVE,
    PREDICTIONS,
    answer_table,
    data_facts,
    described,
    listed,
    shown_answers,
    training_facts,
    written,
)
from recolor.platform.registry.tasks import RESTORING

PICTURES = {
    LEARNING_CURVE: "The loss of each epoch",
    PREDICTIONS: "Posters: aged, restored, and true",
}


def restorer_description(manifest: DatasetInfo, weights: Weights, metrics: Measured) -> str:
    """Describe a version in two sentences.

    Args:
        manifest: The data set that it was trained on.
        weights: Its weights.
        metrics: As `recolor.evaluation.validation.validate_restoration` returns them.
    """
    known = shown_answers(metrics, RESTORING.key.metric, RESTORED_ANSWERS)
    return described(manifest, weights, "artificially aged posters", "CIEDE2000", known)


def restorer_card(manifest: DatasetInfo, weights: Weights, metrics: Measured) -> str:
    """Write a version's model card, as Markdown that shows `PICTURES` beside it.

    Args:
        manifest, weights, metrics: As for `restorer_description`.
    """
    facts = data_facts(manifest)
    # It looks at neither.
    del facts["color classes"], facts["embedding"]
    sections = {
        "What it does": (
            "It looks at a thumbnail of a colored poster and finds nine numbers: for each of red, "
            "green and blue how much glare lies over the poster, what share of its density the dye "
            "has kept, and how much the paper has yellowed. Undoing them changes each pixel by its "
            "own color alone, so it works at any size, and can neither blur nor invent anything."
        ),
        "Data": listed(facts),
        "Training": listed(training_facts(weights)),
        "Metrics": _metrics(manifest, metrics),
        "Pictures": "\n\n".join(f"![{words}]({name})" for name, words in PICTURES.items()),
        "Limits": _limits(weights, metrics),
    }
    description = restorer_description(manifest, weights, metrics)
    return written(f"Poster restorer: {weights.model}", description, sections)


def _metrics(manifest: DatasetInfo, metrics: Measured) -> str:
    if not metrics:
        return "There were no validation posters, so nothing was measured."
    return (
        f"On the {manifest.count('validation'):,} validation posters, each aged in one way that is "
        "always the same, against the posters as they were. Left alone and autocontrast need no "
        f"network.\n\n{answer_table(metrics, RESTORED_ANSWERS)}"
    )


def _limits(weights: Weights, metrics: Measured) -> str:
    limits = [
        "It learned from modern posters that were aged by a formula, not from old prints and what "
        "they once looked like. Real ageing may differ.",
        f"It learned from {weights.origin['training_posters']:,} posters and nothing else: other "
        "kinds of pictures may come out wrong.",
        "It undoes what is the same all over a poster. Stains, creases, and a border that has "
        "faded more than the center stay.",
        "A gray picture does not show how it has aged, and is left as it is.",
        "The validation posters also chose the best epoch, so other posters may come out a little "
        "worse: `recolor evaluate --told aged` measures the test posters.",
    ]
    value = metrics.get(RESTORING.key)
    for baseline, words in RESTORING.baselines.items():
        other = RESTORING.baseline(metrics, baseline, RESTORING.metric)
        if None not in (value, other) and other < value:
            limits.append(
                f"It is worse than {words}: CIEDE2000 {value:.4g} instead of {other:.4g}."
            )
    return "\n".join(f"- {limit}" for limit in limits)
