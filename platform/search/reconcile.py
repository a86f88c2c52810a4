"""A study's trials compared with their runs: none is left open that nobody works on."""

import mlflow
from optuna.study import Study
from optuna.trial import TrialState

from recolor.platform.search.study import newest_states
from recolor.platform.search.tree import STATE_TAG, TRIAL_TAG, runs_within

# Words for how a trial's run ends, and MLflow's status.
ENDS = {
    TrialState.COMPLETE: ("complete", "FINISHED"),
    TrialState.PRUNED: ("pruned", "FINISHED"),
}
KILLED = ("killed", "KILLED")


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
