"""Files that are not where the store expects them: it keeps whole paths, also when it is moved."""

from pathlib import Path

from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri


def missing_folder(uri: str) -> Path | None:
    """Return the folder on this machine in which a model's or a run's files should be, but are not.

    Args:
        uri: The model's URI, or where the run keeps its artifacts.

    Raises:
        MlflowException: If there is no such model.
    """
    while ModelsArtifactRepository.is_models_uri(uri):
        uri = ModelsArtifactRepository.get_underlying_uri(uri)
    if not is_local_uri(uri):
        return None
    folder = Path(local_file_uri_to_path(uri))
    return None if folder.exists() else folder
