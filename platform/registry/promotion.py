"""Which version of the registered model is the champion."""

import json

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.metric import HIGHER
from recolor.evaluation.validation import GRAY, MEAN_COLOR, TOLD_PALETTE, told_or_free
from recolor.platform.registry.registration import (
    CHAMPION,
    METRIC_TAG,
    MODEL_NAME,
    RegistryError,
    registered_versions,
)

# Registered-model tag with the versions that were champion before, oldest first.
HISTORY_TAG = "champion.history"


def promote(metric: str, chosen: str | None = None, force: bool = False) -> tuple[str, str]:
    """Give the alias ``champion`` to a version.

    Versions are ranked by their answers for validation posters, told the palette or, where they
    take none, free. They are compared only where they were validated on the same data.

    Args:
        metric: A metric of `recolor.evaluation.metrics.catalog.rankable`.
        chosen: Number of the version; by default the best of those that were validated on the same
            data as the newest.
        force: Promote the version even though gray or the champion is better, or the champion was
            validated on other data.

    Returns:
        The champion's version, and lines that compare it and say what was done.

    Raises:
        RegistryError: If there is nothing to promote, or gray or the champion is better.
    """
    existing = {str(v.version): _Candidate(v, metric) for v in registered_versions()}
    versions = {name: v for name, v in existing.items() if v.value is not None}
    if chosen in existing and force:
        best = existing[chosen]
    elif not versions:
        raise RegistryError(f"no version of {MODEL_NAME} has a validated {metric}: train one first")
    elif chosen is None:
        newest = versions[max(versions, key=int)]
        rivals = [v for v in versions.values() if v.data == newest.data]
        sign = -1 if METRICS[metric].direction == HIGHER else 1
        # Among equals the oldest, so that nothing changes without a gain.
        best = min(rivals, key=lambda v: (sign * v.value, int(v.number)))
    elif chosen in versions:
        best = versions[chosen]
    else:
        raise RegistryError(f"{MODEL_NAME} has no version {chosen} with a validated {metric}")

    standing = current_champion()
    champion = None if standing is None else _Candidate(standing, metric)
    lines = _comparison(best, champion)
    if champion is not None and champion.number == best.number:
        return best.number, "\n".join([*lines, f"{best} is the champion already"])
    if not force and (reason := _objection(best, champion)):
        raise RegistryError(f"{best} was not promoted: {reason}; --force does it all the same")
    history = _history()
    if champion is not None:
        history.append(champion.number)
    _set_champion(best.number, history)
    return best.number, "\n".join([*lines, f"{best} is the champion now"])


def rollback() -> tuple[str, str]:
    """Give the alias back to the version that had it before.

    Raises:
        RegistryError: If there was none.
    """
    history = _history()
    # Not a deleted one, nor the champion itself, which a crash during a promotion may leave there.
    candidates = {str(v.version) for v in registered_versions()}
    if champion := current_champion():
        candidates.discard(str(champion.version))
    while history and history[-1] not in candidates:
        history.pop()
    if not history:
        raise RegistryError(f"{MODEL_NAME} has no earlier champion to go back to")
    previous = history.pop()
    _set_champion(previous, history)
    return previous, f"version {previous} is the champion again"


def current_champion() -> ModelVersion | None:
    """Return the champion, or None if there is none."""
    model = _registered_model()
    if model is None or CHAMPION not in model.aliases:
        return None
    return mlflow.MlflowClient().get_model_version(MODEL_NAME, str(model.aliases[CHAMPION]))


class _Candidate:
    """A version, and what ranks it.

    Attributes:
        number: Its number.
        data: The digest of the data set that it was validated on.
        value: Its metric, told the palette or free; None if it was not validated.
        told: How it answered, in words.
        gray, mean_color: What answers without a model have in the same place; None in versions of
            an earlier recolor, which did not measure them.
    """

    def __init__(self, version: ModelVersion, metric: str):
        self.number = str(version.version)
        self.metric = metric
        self.data = version.tags.get("dataset.digest")
        measured = {
            name.removeprefix(METRIC_TAG): float(value)
            for name, value in version.tags.items()
            if name.startswith(METRIC_TAG)
        }
        self.value = told_or_free(measured, metric)
        self.told = "told the palette" if TOLD_PALETTE + metric in measured else "free"
        self.gray = measured.get(GRAY + metric)
        self.mean_color = measured.get(MEAN_COLOR + metric)

    def __str__(self) -> str:
        if self.value is None:
            return f"version {self.number} (not validated by {self.metric})"
        return f"version {self.number} ({self.metric} {self.value:.4g}, {self.told})"

    def loses_to(self, value: float | None) -> bool:
        """Whether a value is known, and better than its own."""
        if value is None or self.value is None:
            return False
        return METRICS[self.metric].is_better(value, than=self.value)


def _comparison(best: _Candidate, champion: _Candidate | None) -> list[str]:
    """Compare a version with the champion and with answers without a model, line by line."""
    metric = METRICS[best.metric]
    compared = [f"candidate: {best}", f"champion: {champion or 'none yet'}"]
    compared += [
        f"{name}: {value:.4g}"
        for name, value in (("mean color", best.mean_color), ("gray", best.gray))
        if value is not None
    ]
    lines = [f"{metric.label}, {metric.direction} is better, on the validation posters:"]
    lines += [f"  {words}" for words in compared]
    for one in {version.number: version for version in (best, champion) if version}.values():
        if one.value is not None and one.gray is None:
            lines.append(
                f"version {one.number} was registered before validation told the palette and "
                "measured gray: it is ranked by its free answer; train it again to compare"
            )
    for name, value in (("gray", best.gray), ("the mean color", best.mean_color)):
        if best.loses_to(value):
            lines.append(f"warning: {name} is better than version {best.number}")
    return lines


def _objection(best: _Candidate, champion: _Candidate | None) -> str | None:
    if best.loses_to(best.gray):
        return f"gray is better ({best.gray:.4g})"
    if champion is None:
        return None
    if champion.value is None:
        return f"the champion, version {champion.number}, has no validated {champion.metric}"
    if champion.data != best.data:
        return f"the champion, version {champion.number}, was validated on other data"
    if best.loses_to(champion.value):
        return f"the champion, {champion}, is better"
    return None


def _history() -> list[str]:
    model = _registered_model()
    return json.loads(model.tags.get(HISTORY_TAG, "[]")) if model else []


def _registered_model() -> RegisteredModel | None:
    """Return the registered model, or None if there is none yet."""
    try:
        return mlflow.MlflowClient().get_registered_model(MODEL_NAME)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _set_champion(number: str, history: list[str]) -> None:
    client = mlflow.MlflowClient()
    client.set_registered_model_tag(MODEL_NAME, HISTORY_TAG, json.dumps(history))
    client.set_registered_model_alias(MODEL_NAME, CHAMPION, number)
