"""Which version of the registered model is the champion."""

import json

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.metric import HIGHER
from recolor.platform.registry.registration import CHAMPION, METRIC_TAG, MODEL_NAME, RegistryError

# Registered-model tag with the versions that were champion before, oldest first.
HISTORY_TAG = "champion.history"


def promote(metric: str, chosen: str | None = None, force: bool = False) -> tuple[str, str]:
    """Give the alias ``champion`` to a version.

    Versions are compared only where they were validated on the same data.

    Args:
        metric: A metric of `recolor.evaluation.metrics.catalog` that has a better end.
        chosen: Number of the version; by default the best of those that were validated on the same
            data as the newest.
        force: Promote the version even though the champion is better, or was validated on
            other data.

    Returns:
        The champion's version, and a line that says what was done.

    Raises:
        RegistryError: If there is nothing to promote, or the champion is better.
    """
    more_is_better = METRICS[metric].direction == HIGHER
    existing = {str(v.version): v for v in _versions()}
    versions = {name: v for name, v in existing.items() if _value(v, metric) is not None}
    if chosen in existing and force:
        best = existing[chosen]
    elif not versions:
        raise RegistryError(f"no version of {MODEL_NAME} has a validated {metric}: train one first")
    elif chosen is None:
        newest = versions[max(versions, key=int)]
        rivals = [v for v in versions.values() if _data(v) == _data(newest)]
        sign = -1 if more_is_better else 1
        # Among equals the oldest, so that nothing changes without a gain.
        best = min(rivals, key=lambda v: (sign * _value(v, metric), int(v.version)))
    elif chosen in versions:
        best = versions[chosen]
    else:
        raise RegistryError(f"{MODEL_NAME} has no version {chosen} with a validated {metric}")

    champion = current_champion()
    value = _value(best, metric)
    measured = f"not validated by {metric}" if value is None else f"{metric} {value:.4g}"
    found = f"version {best.version} ({measured})"
    if champion is not None and champion.version == best.version:
        return str(best.version), f"{found} is the champion already"
    if champion is not None and not force:
        reason = _objection(best, champion, metric, more_is_better)
        if reason:
            raise RegistryError(f"{found} was not promoted: {reason}; --force does it all the same")
    history = _history()
    if champion is not None:
        history.append(str(champion.version))
    _set_champion(str(best.version), history)
    return str(best.version), f"{found} is the champion now"


def rollback() -> tuple[str, str]:
    """Give the alias back to the version that had it before.

    Raises:
        RegistryError: If there was none.
    """
    history = _history()
    # No deleted one, nor the champion itself, as a crash in the middle of a promotion may leave it.
    candidates = {str(v.version) for v in _versions()}
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


def _objection(best, champion, metric: str, more_is_better: bool) -> str | None:
    standing = _value(champion, metric)
    if standing is None:
        return f"the champion, version {champion.version}, has no validated {metric}"
    if _data(champion) != _data(best):
        return f"the champion, version {champion.version}, was validated on other data"
    if (_value(best, metric) < standing) if more_is_better else (_value(best, metric) > standing):
        return f"the champion, version {champion.version}, is better ({standing:.4g})"
    return None


def _versions() -> list[ModelVersion]:
    return list(mlflow.MlflowClient().search_model_versions(f"name = '{MODEL_NAME}'"))


def _value(version: ModelVersion, metric: str) -> float | None:
    value = version.tags.get(METRIC_TAG + metric)
    return None if value is None else float(value)


def _data(version: ModelVersion) -> str | None:
    return version.tags.get("dataset.digest")


def _history() -> list[str]:
    model = _registered_model()
    return json.loads(model.tags.get(HISTORY_TAG, "[]")) if model else []


def _registered_model() -> RegisteredModel | None:
    """Return the registered model, or None where there is none yet; any other failure is one."""
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
