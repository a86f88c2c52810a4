"""New versions of the registered model ``poster-recolor``, and loading them."""

import base64
import io
import json
import shutil
import tempfile
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

from recolor.datasets import (
    ageing,
    atomic_file,
    classes,
    color,
    color_kind,
    color_profiles,
    errors,
    hints,
    images,
    margins,
    posters,
    shared_table,
)
from recolor.datasets.errors import first_line
from recolor.datasets.palettes import color_names, library, palette
from recolor.models import painter, restoring
from recolor.models.decoding import options, own_decoding, typed
from recolor.models.weights import Weights
from recolor.platform.registry.signature import signature
from recolor.platform.registry.versions import (
    CHAMPION_URI,
    MODEL_NAME,
    RegistryError,
    registered_versions,
)
from recolor.platform.registry.weight_sources import WEIGHTS_FILE
from recolor.platform.tracking.moved_files import missing_folder

if TYPE_CHECKING:
    from recolor.platform.serving.saved_model import RecoloringGraph


class MissingFilesError(RegistryError):
    """A registered model is not where the store expects it."""


# Of what a version holds: its code, its graph and its weights.
FORMAT = 6

# Of the registered model.
ABOUT_ALL = "Networks that recolor movie posters. `recolor models` compares the versions."

SERVED_CODE = Path(__file__).parents[1] / "serving" / "pyfunc_model.py"
# What the served code imports, and the model declares.
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pillow", "safetensors", "scikit-image", "tensorflow")
SERVED_MODULES = (
    errors, color_profiles, images, atomic_file, shared_table, color, color_kind, classes,
    color_names, posters, margins, ageing, palette, library, hints, options, own_decoding, typed,
    restoring, painter,
)  # fmt: skip


def register(
    recolorer: "RecoloringGraph",
    weights: Weights,
    card: Path,
    description: str,
    metadata: dict,
    tags: dict,
) -> ModelVersion:
    """Log a model to the active run and register it as a new version.

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
            python_model=str(SERVED_CODE),
            artifacts={
                "saved_model": str(saved_model),
                "about": str(settings),
                "weights": str(weights_file),
                "restoration": str(restoring.BUNDLED_FILE),
                "card": str(card),
            },
            code_paths=[str(_code_for_serving(Path(folder)))],
            signature=signature(),
            input_example={"image": [_example_image()]},
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
            metadata={"format": FORMAT, **metadata},
        )
    return _new_version(info, description, tags)


def _new_version(model: ModelInfo, description: str, tags: dict) -> ModelVersion:
    """Register a model, with its description and tags from its first moment."""
    client = mlflow.MlflowClient()
    try:
        client.create_registered_model(MODEL_NAME, description=ABOUT_ALL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = client.create_model_version(
        MODEL_NAME,
        model.model_uri,
        model.run_id,
        tags=tags,
        description=description,
        model_id=model.model_id,
    )
    # As `mlflow.register_model` does, which knows no description: MLflow's pages show it.
    known_as = [{"name": MODEL_NAME, "version": found.version}]
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(known_as)})
    return found


def load_model(uri: str) -> PyFuncModel:
    """Load a model.

    Raises:
        MissingFilesError: If its files are gone, or it was moved.
        RegistryError: If there is no such model, or it is not one of this platform's.
    """
    try:
        if folder := missing_folder(uri):
            raise MissingFilesError(
                f"the files of model {uri} are not in {folder}, where they were when it was "
                "registered: bring them back, or train it again"
            )
        # Before its code is loaded, which may not go with this version's.
        metadata = mlflow.models.get_model_info(uri).metadata or {}
        _check_format(uri, metadata)
        from recolor.platform.serving.xla import start_xla

        start_xla()
        return mlflow.pyfunc.load_model(uri)
    except RegistryError:
        raise
    except Exception as error:
        # A URI may lead to any store, and each has its own exceptions.
        hint = ""
        if uri == CHAMPION_URI:
            hint = ": train a model with `recolor train`, then run `recolor promote`"
        raise RegistryError(f"model {uri} can't be loaded ({first_line(error)}){hint}") from None


def _check_format(uri: str, metadata: dict) -> None:
    if "dataset_digest" not in metadata:
        raise RegistryError(f"model {uri} is none that `recolor train` has registered")
    if metadata.get("format") != FORMAT:
        raise RegistryError(
            f"model {uri} was registered by another version of recolor: train it again, or choose "
            "another with --model"
        )


def version_of(model: PyFuncModel) -> ModelVersion | None:
    """Return the version that a loaded model is registered as in this store; None if it is not."""
    # A version knows the model by its source alone, whichever way it was loaded.
    source = f"models:/{model.metadata.model_id}"
    return next((one for one in registered_versions() if one.source == source), None)


def _code_for_serving(folder: Path) -> Path:
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


def _example_image() -> str:
    """A small gradient as base64 text of a PNG file."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((32, 48)).convert("RGB").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
