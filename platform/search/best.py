"""The best trial of a study, and the training that repeats it at full length."""

import shlex
from dataclasses import dataclass, fields, replace

import mlflow
from optuna.study import Study

from recolor.datasets.manifest import Manifest
from recolor.platform.search.plan import Plan
from recolor.platform.search.study import RUN_ID, best_trial, number_of
from recolor.platform.search.tree import runs_within
from recolor.platform.tracking.provenance import STUDY_TAG
from recolor.platform.training.data_options import data_options
from recolor.platform.training.settings import Settings

# Among the artifacts of a study's run.
COMMAND_FILE = "study/best-command.txt"
# Tag of a run that repeats a trial at full length.
REPEATS_TAG = "repeats"


@dataclass(frozen=True)
class Best:
    """The best trial.

    Attributes:
        number: Its number.
        value: The objective's value.
        run_id: Its run.
        chosen: What it has chosen of the plan's space.
    """

    number: int
    value: float
    run_id: str
    chosen: dict[str, object]

    def settings(self, plan: Plan, epochs: int | None) -> Settings:
        """Return its settings, for all of the posters.

        Args:
            plan: The study's plan.
            epochs: Number of epochs; None for the model kind's default.
        """
        return replace(plan.settings_of(self.chosen), epochs=epochs, train_fraction=1.0)

    def command(self, manifest: Manifest, plan: Plan, epochs: int | None) -> str:
        """Write its training at full length as a line for a shell, without what is the default.

        Args:
            manifest: The data set.
            plan, epochs: As for `settings`.
        """
        settings = self.settings(plan, epochs)
        words = ["recolor", "train", *data_options(manifest)]
        for option in fields(settings):
            value = getattr(settings, option.name)
            name = option.name.replace("_", "-")
            if value == option.default:
                continue
            if option.metadata.get("flag"):
                words.append(f"--{name}" if value else f"--no-{name}")
            else:
                words += [f"--{name}", str(value)]
        for option in fields(plan.decoding):
            if (value := getattr(plan.asked, option.name)) is not None:
                words += [f"--{option.name}", str(value)]
        return shlex.join(words)


def best_of(study: Study) -> Best | None:
    """Return the best of a study's complete trials; None if there is none yet."""
    best = best_trial(study)
    if best is None:
        return None
    return Best(number_of(best), best.value, best.user_attrs[RUN_ID], best.params)


def train_best(study: Study, plan: Plan, manifest: Manifest, best: Best, epochs: int | None):
    """Repeat the best trial at full length within the study's run, and register the model.

    Called again, it goes on with a training that was interrupted.

    Args:
        study, plan, manifest: The study, its plan and its data set.
        best: Its best trial.
        epochs: Number of epochs; None for the model kind's default.

    Returns:
        A `publication.TrainedModel`, whose version has the study's name as a tag.

    Raises:
        See `tracked.train`.
    """
    # TensorFlow is loaded for it.
    from recolor.platform.training.publication import VERSION_TAG, published_model
    from recolor.platform.training.tracked import train

    settings = best.settings(plan, epochs).complete()
    repeats = f"trial {best.number}, {settings.epochs} epochs"
    begun = runs_within(study, REPEATS_TAG, repeats)
    if begun and VERSION_TAG in begun[0].data.tags:
        return published_model(begun[0].info.run_id)
    trained = train(
        manifest,
        settings,
        begun[0].info.run_id if begun else None,
        decoding=plan.asked,
        tags={STUDY_TAG: study.study_name, REPEATS_TAG: repeats},
    )
    client = mlflow.MlflowClient()
    client.set_model_version_tag(trained.task.model, trained.version, STUDY_TAG, study.study_name)
    mlflow.set_tag(VERSION_TAG, trained.version)
    return trained
