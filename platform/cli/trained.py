"""What is said of a model that was trained."""

import shlex

import click


def report_trained(trained) -> None:
    """Say which version a model is, and how well it did in validation.

    Args:
        trained: A `publication.TrainedModel`.
    """
    from recolor.evaluation.answers import ANSWERS, RESTORED_ANSWERS
    from recolor.platform.registry.model_card import shown_answers
    from recolor.platform.registry.tasks import RESTORING

    task = trained.task
    answers = RESTORED_ANSWERS if task is RESTORING else ANSWERS
    if shown := shown_answers(trained.measured, task.key.metric, answers):
        click.echo(f"validation, {task.key.metric}: {shown}")
    which = f"{task.model} version" if task is RESTORING else "version"
    click.echo(f"run {trained.run_id}, registered as {which} {trained.version}")
    say_how_mlflow_finds_it()


def say_how_mlflow_finds_it() -> None:
    """Say how MLflow's own commands find the store, where they would look for another one."""
    from recolor.platform.tracking.store import default_store

    if file := default_store():
        uri = shlex.quote(f"sqlite:///{file}")
        click.echo(f"for mlflow ui, models serve and run: export MLFLOW_TRACKING_URI={uri}")
