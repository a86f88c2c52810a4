"""The whole platform at a small size, on posters that are drawn for it."""

import time
from collections.abc import Callable
from pathlib import Path

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.preparation import prepare
from recolor.evaluation.tables import markdown, metric_table
from recolor.models.pretrained import DEFAULT
from recolor.platform.application import recolor_files
from recolor.platform.evaluation_run import evaluate_models
from recolor.platform.fitting import Settings
from recolor.platform.registry import RegistryError, promote
from recolor.platform.training import train
from recolor.platform.usable_model import load

POSTERS = 240
OLD_POSTERS = 12
SIZE = 48
SPLIT = (200, 20, 20)

# Many small steps: in a few minutes there is no time for the paper's batches and patience.
TRAINING = {"batch_size": 5, "learning_rate": 2e-4}
EPOCHS = {"regression": 30, "classification": 20}


def run_demo(out: Path, echo: Callable[[str], None]) -> list[Path]:
    """Draw posters, prepare, train both networks, evaluate, promote, and recolor old posters.

    Args:
        out: Folder for posters, data and results.
        echo: Takes the lines that say what is being done.

    Returns:
        The sheets of old posters before and after: by what was trained, and by the default network
        that comes with recolor.
    """
    started = time.monotonic()

    def say(text: str) -> None:
        echo(f"[{time.monotonic() - started:3.0f} s] {text}")

    say(f"Drawing {POSTERS} fresh posters and {OLD_POSTERS} faded ones.")
    # The same posters and data set as the tour's in the README: their models can be compared.
    fresh = list(generate_demo_posters(out / "posters", POSTERS, "modern", seed=0))
    old = list(generate_demo_posters(out / "old-posters", OLD_POSTERS, "old", seed=1))

    say(f"Preparing them at {SIZE} pixels.")
    manifest, _ = prepare(
        fresh,
        out / "data",
        size=SIZE,
        split=SPLIT,
        embedding="none",
        seed=10,
        workers=2,
        overwrite=True,
    )

    models = {}
    for kind, epochs in EPOCHS.items():
        say(f"Training the {kind} network for {epochs} epochs.")
        trained = train(manifest, Settings(kind, epochs=epochs, **TRAINING))
        models[kind] = f"models:/poster-recolor/{trained.version}"

    say("Evaluating both on posters that they have not seen.")
    columns = evaluate_models(manifest, "test", list(models.values()))
    echo(markdown(metric_table(columns)))

    try:
        say(f"Promoting the better: {promote('l2_ab')[1]}.")
    except RegistryError as error:
        # A champion of the user's own data stays what it is.
        say(f"Not promoting: {error}.")

    say("Recoloring the old posters, by the better and by the network that comes with recolor.")
    best = load(min(models.values(), key=lambda uri: columns[uri]["l2_ab"]))
    return [
        recolor_files(model, old, out / folder, sheet=True).sheet
        for model, folder in ((best, "recolored"), (load(DEFAULT), "recolored-by-pretrained"))
    ]
