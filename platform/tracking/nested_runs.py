"""The runs within a run."""

import mlflow
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID


def runs_within(parent: Run, tag: str, value: object = None) -> list[Run]:
    """Find the runs within a run that have a tag.

    Args:
        parent: The run.
        tag: The tag's name.
        value: Its value; None for any.
    """
    wanted = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'"
    wanted += f" AND tags.`{tag}` " + ("LIKE '%'" if value is None else f"= '{value}'")
    return mlflow.search_runs(
        [parent.info.experiment_id], wanted, output_format="list", max_results=100_000
    )
