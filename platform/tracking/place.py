"""Where the store is. MLflow, whose import takes seconds, is not needed to ask for it."""

import os
from importlib.util import find_spec
from pathlib import Path

DEFAULT_STORE = "sqlite:///mlruns/mlflow.db"


def store_exists() -> bool:
    """Whether there is a store to ask, before `store.connect` makes one; none without MLflow."""
    if find_spec("mlflow") is None:
        return False
    return bool(os.environ.get("MLFLOW_TRACKING_URI")) or Path("mlruns/mlflow.db").exists()
