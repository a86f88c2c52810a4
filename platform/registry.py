"""The registered model ``poster-recolor``: its versions and its champion."""

import base64
import io
import json
import shutil
import tempfile
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import PyFuncModel
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from PIL import Image

from recolor.datasets import (
    classes,
    color,
    color_names,
    contrast,
    errors,
    hints,
    images,
    palette_library,
    palettes,
)
from recolor.datasets.errors import RecolorError, first_line
from recolor.evaluation.metrics import METRICS
from recolor.models import decoding
from recolor.models.decoding import Decoding
from recolor.platform import painting
from recolor.platform.prediction import Recolorer

MODEL_NAME = "poster-recolor"
CHAMPION = "champion"
CHAMPION_URI = f"models:/{MODEL_NAME}@{CHAMPION}"

# Registered-model tag with the versions that were champion before, oldest first.
HISTORY_TAG = "champion.history"
METRIC_TAG = "validation."

# What the served code imports, and the model declares.
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pillow", "scikit-image", "tensorflow")
SERVED_MODULES = (
    errors, images, color, classes, color_names, contrast, palettes, palette_library, hints,
    decoding, painting,
)  # fmt: skip


class RegistryError(RecolorError):
    """The registry does not hold what is asked for, or a promotion is refused."""


def register(recolorer: Recolorer, about: dict, metadata: dict, tags: dict) -> ModelVersion:
    """Log a model to the active run and register it as a new version.

    Args:
        recolorer: The model.
        about: What `Recolorer.about` has returned.
        metadata: What a user of the model must know: kind, size, embedding, data set.
        tags: Tags of the version.
    """
    text = ColSpec("string", "image")
    with tempfile.TemporaryDirectory() as folder:
        saved_model = Path(folder) / "saved_model"
        recolorer.save(saved_model)
        settings = Path(folder) / "about.json"
        settings.write_text(json.dumps(about), encoding="utf-8")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"saved_model": str(saved_model), "about": str(settings)},
            code_paths=[str(_code_for_serving(Path(folder)))],
            signature=ModelSignature(Schema([text]), Schema([text]), _parameters()),
            input_example={"image": [_example_image()]},
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
            metadata=metadata,
            registered_model_name=MODEL_NAME,
        )
    client = mlflow.MlflowClient()
    for name, value in tags.items():
        client.set_model_version_tag(MODEL_NAME, info.registered_model_version, name, value)
    return client.get_model_version(MODEL_NAME, info.registered_model_version)


def load_model(uri: str) -> PyFuncModel:
    """Load a model.

    Raises:
        RegistryError: If there is no such model, or it is not one of this platform's.
    """
    try:
        model = mlflow.pyfunc.load_model(uri)
    except Exception as error:
        # A URI may lead to any store, and each has its own exceptions.
        hint = ""
        if uri == CHAMPION_URI:
            hint = ": train a model with `recolor train`, then run `recolor promote`"
        raise RegistryError(f"model {uri} can't be loaded ({first_line(error)}){hint}") from None
    metadata = model.metadata.metadata or {}
    if "dataset_digest" not in metadata:
        raise RegistryError(f"model {uri} is none that `recolor train` has registered")
    if "takes_palette" not in metadata:
        raise RegistryError(f"model {uri} was registered by an earlier version: train it again")
    return model


def promote(metric: str, chosen: str | None = None, force: bool = False) -> tuple[str, str]:
    """Give the alias ``champion`` to a version.

    Versions are compared only where they were validated on the same data.

    Args:
        metric: A metric of `recolor.evaluation.metrics.METRICS` that has a better end.
        chosen: Number of the version; by default the best of those that were validated on the same
            data as the newest.
        force: Promote the version even though the champion is better, or was validated on
            other data.

    Returns:
        The champion's version, and a line that says what was done.

    Raises:
        RegistryError: If there is nothing to promote, or the champion is better.
    """
    more_is_better = METRICS[metric][1]
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


def _parameters() -> ParamSchema:
    """The options of decoding as parameters of a request, with their defaults."""
    return ParamSchema(
        [
            ParamSpec(option.name, "double", option.default)
            if "range" in option.metadata
            # None, and no hints, as an empty text.
            else ParamSpec(option.name, "string", option.default or "")
            for option in fields(Decoding)
        ]
    )


def _code_for_serving(folder: Path) -> Path:
    """Lay out the modules of this project that served models need, as a package of their own."""
    package = folder / "recolor"
    files = [Path(module.__file__) for module in SERVED_MODULES]
    for file in [*files, palette_library.FILE]:
        target = package / file.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return package


def _example_image() -> str:
    """A small gradient as base64 text of a PNG file."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((32, 48)).convert("RGB").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
