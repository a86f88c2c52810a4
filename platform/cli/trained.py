"""What is said of a model that was trained."""

import click

SHOWN = ("l2_ab", "n_classes", "accuracy_1_poster", "colorfulness")


def report_trained(trained) -> None:
    """Say which version a model is, and how well it did in validation.

    Args:
        trained: A `publication.TrainedModel`.
    """
    if trained.metrics:
        shown = ", ".join(f"{name} {trained.metrics[name]:.4g}" for name in SHOWN)
        click.echo(f"validation: {shown}")
    click.echo(f"run {trained.run_id}, registered as version {trained.version}")
