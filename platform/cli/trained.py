"""What is said of a model that was trained."""

import shlex

import click


def report_trained(trained) -> None:
    """Say which version a model is, and how well it did in validation.

    Args:
        trained: A `publication.TrainedModel`.
    """
    from recolor.evaluation.answers import ANSWERS
    from recolor.evaluation.metrics.catalog import DEFAULT_METRIC

    values = {
        words: trained.metrics.get(answer + DEFAULT_METRIC) for answer, words in ANSWERS.items()
    }
    shown = [f"{words} {value:.4g}" for words, value in values.items() if value is not None]
    if shown:
        click.echo(f"validation, {DEFAULT_METRIC}: {', '.join(shown)}")
    click.echo(f"run {trained.run_id}, registered as version {trained.version}")
    say_how_mlflow_finds_it()


def say_how_mlflow_finds_it() -> None:
    """Say how MLflow's own commands find the store, where they would look for another one."""
    from recolor.platform.tracking.store import default_store

    if file := default_store():
        uri = shlex.quote(f"sqlite:///{file}")
        click.echo(f"for mlflow ui, models serve and run: export MLFLOW_TRACKING_URI={uri}")
