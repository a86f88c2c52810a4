"""A study as a tree of MLflow runs: one for the study, and within it one for each trial.

None is left open that nobody works on.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import mlflow
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.study import Study
from optuna.trial import TrialState

from recolor.datasets.errors import first_line
from recolor.datasets.manifest import Manifest
from recolor.platform.search.plan import Plan
from recolor.platform.search.space import in_words
from recolor.platform.search.study import DONE, RUN_ID, TRIALS, count, newest_states
from recolor.platform.tracking import store
from recolor.platform.tracking.database import alone
from recolor.platform.tracking.provenance import STUDY_TAG
from recolor.platform.tracking.server import store_name
from recolor.platform.tracking.store import RunError, log_dataset, log_parameters, tracked_run

# Tags of the runs of trials; all runs in a tree have `STUDY_TAG`.
TRIAL_TAG, STATE_TAG, REASON_TAG = "trial", "trial.state", "trial.reason"
# Words for how a trial's run ends, and MLflow's status.
ENDS = {
    TrialState.COMPLETE: ("complete", "FINISHED"),
    TrialState.PRUNED: ("pruned", "FINISHED"),
}
KILLED = ("killed", "KILLED")


@contextmanager
def study_run(study: Study, plan: Plan, manifest: Manifest, storage: str) -> Iterator[str]:
    """Begin a study's run, or continue it; of commands that begin at once, only one makes it.

    Args:
        study: The study.
        plan: Its plan.
        manifest: Its data set.
        storage: The URL of the database that it is kept in.

    Yields:
        The run's id.

    Raises:
        RunError: If the run is in another MLflow store.
    """
    with ExitStack() as stack:
        with alone(storage):
            run_id = study.user_attrs.get(RUN_ID)
            if run_id:
                _check_is_here(run_id, study.study_name)
            # In the end, when the run itself has been left.
            stack.callback(_settle, study)
            tags = {STUDY_TAG: study.study_name}
            name = f"tune {plan.settings.model}: {study.study_name}"
            searched = ", ".join(f"`{name}`" for name in plan.space)
            about = f"Searches {searched} for the best {plan.objective} on `{manifest.name}`."
            run = stack.enter_context(tracked_run(name, about, run_id, tags))
            study.set_user_attr(RUN_ID, run.info.run_id)
        about = plan.to_json()
        searched = {name: in_words(one) for name, one in plan.space.items()}
        log_parameters(
            run,
            {
                **about["settings"],
                **about["decoding"],
                **searched,
                **{name: about[name] for name in ("objective", "sampler", "pruner")},
                "sampler_seed": plan.seed,
            },
        )
        log_dataset(manifest, "training")
        yield run.info.run_id


def trial_tags(study: Study, number: int) -> dict[str, str]:
    """Return the tags that make a run the one of a trial."""
    return {
        MLFLOW_PARENT_RUN_ID: study.user_attrs[RUN_ID],
        STUDY_TAG: study.study_name,
        TRIAL_TAG: str(number),
    }


def runs_within(study: Study, tag: str, value: object = None) -> list[Run]:
    """Find runs of a study's tree that have a tag.

    Args:
        study: The study.
        tag: The tag's name.
        value: Its value; None for any.
    """
    return store.runs_within(mlflow.get_run(study.user_attrs[RUN_ID]), tag, value)


def close_orphans(study: Study) -> None:
    """End every run of a trial that is not running, in the way that the trial has ended."""
    client = mlflow.MlflowClient()
    # In this order: a trial begins before its run, and ends after it.
    open_runs = [
        run
        for run in runs_within(study, TRIAL_TAG)
        # Or one that `close_lost_runs` has ended, which knows nothing of trials.
        if run.info.status == "RUNNING" or STATE_TAG not in run.data.tags
    ]
    states = newest_states(study)
    for run in open_runs:
        state = states.get(int(run.data.tags[TRIAL_TAG]))
        if state != TrialState.RUNNING:
            word, status = ENDS.get(state, KILLED)
            client.set_tag(run.info.run_id, STATE_TAG, word)
            client.set_terminated(run.info.run_id, status)


def _settle(study: Study) -> None:
    """Give a study's run the status that its trials have: others may still work on them."""
    client, run_id = mlflow.MlflowClient(), study.user_attrs.get(RUN_ID)
    if run_id is None:
        return
    if count(study, TrialState.RUNNING):
        client.update_run(run_id, "RUNNING")
    else:
        whole = count(study, *DONE) >= study.user_attrs[TRIALS]
        client.set_terminated(run_id, "FINISHED" if whole else "KILLED")


def _check_is_here(run_id: str, name: str) -> None:
    try:
        mlflow.get_run(run_id)
    except mlflow.MlflowException as error:
        raise RunError(
            f"study {name} has its run in another MLflow store than {store_name()}: "
            f"set MLFLOW_TRACKING_URI ({first_line(error)})"
        ) from None
