"""What is said of a model that was trained."""

import shlex

import click


def report_trained(trained) -> None:
    """Say which version a model is, and how well it did in validation.

    Args:
        trained: A `publication.TrainedModel`.
    """
    from recolor.evaluation.answers import ANSWERS
    from recolor.platform.registry import restorer_card
    from recolor.platform.registry.tasks import RESTORING

    task = trained.task
    answers = restorer_card.ANSWERS if task is RESTORING else ANSWERS
    metric = task.metric.removeprefix(task.own)
    values = {words: trained.metrics.get(answer + metric) for answer, words in answers.items()}
    shown = [f"{words} {value:.4g}" for words, value in values.items() if value is not None]
    if shown:
        click.echo(f"validation, {metric}: {', '.join(shown)}")
    which = f"{task.model} version" if task is RESTORING else "version"
    click.echo(f"run {trained.run_id}, registered as {which} {trained.version}")
    say_how_mlflow_finds_it()


def say_how_mlflow_finds_it() -> None:
    """Say how MLflow's own commands find the store, where they would look for another one."""
    from recolor.platform.tracking.store import default_store

    if file := default_store():
        uri = shlex.quote(f"sqlite:///{file}")
        click.echo(f"for mlflow ui, models serve and run: export MLFLOW_TRACKING_URI={uri}")
