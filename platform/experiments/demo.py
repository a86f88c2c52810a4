"""The whole platform at a small size, on posters that are drawn for it."""

import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageOps

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.images import open_image, to_rgb
from recolor.datasets.preparation import prepare
from recolor.evaluation.figures import SWATCH_HEIGHT, contact_sheet, with_swatch
from recolor.evaluation.tables import markdown, metric_table
from recolor.models.catalog import DEFAULT
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.platform.experiments.evaluation import evaluate_models
from recolor.platform.registry.load import load
from recolor.platform.registry.promotion import promote
from recolor.platform.registry.registration import RegistryError
from recolor.platform.serving.files import recolor_files
from recolor.platform.training.settings import Settings
from recolor.platform.training.tracked import train

# Schemes to show, as a user would type them.
SCHEMES = {
    "teal and orange": "#0b4f5c:2,#2a9d8f,#f28c28:2,#e9c46a",
    "fire": "#7f1d1d:2,#d62828:2,#f77f00:2,#fcbf49",
    "night": "#14213d:3,#3a5a98:2,#7b2d8b,#e0aaff",
    "forest": "#1b4332:2,#40916c:2,#95d5b2,#d4a373",
}
SHOWN_POSTERS, SUGGESTIONS, SIDE = 6, 6, 256

POSTERS = 240
OLD_POSTERS = 12
SIZE = 48
SPLIT = (200, 20, 20)

# Many small steps: in a few minutes there is no time for the paper's batches and patience.
TRAINING = {"batch_size": 5, "learning_rate": 2e-4}
EPOCHS = {"regression": 30, "classification": 20}


def run_demo(out: Path, echo: Callable[[str], None]) -> list[tuple[str, Path]]:
    """Show color schemes; then prepare, train both networks, evaluate, promote and recolor.

    Args:
        out: Folder for posters, data and results.
        echo: Takes the lines that say what is being done.

    Returns:
        Pictures to look at, each with words that say what it is.
    """
    started = time.monotonic()

    def say(text: str) -> None:
        echo(f"[{time.monotonic() - started:3.0f} s] {text}")

    say(f"Drawing {OLD_POSTERS} faded posters, and recoloring them in other colors.")
    old = list(generate_demo_posters(out / "old-posters", OLD_POSTERS, "old", seed=1))
    pretrained = load(DEFAULT).painter
    sheets = [("schemes", out / "schemes.png")]
    scheme_sheet(pretrained, old).save(out / "schemes.png")
    suggested = recolor_files(
        pretrained, old, out / "suggestions", suggestions=SUGGESTIONS, sheet=True
    )
    sheets.append(("suggestions", suggested.sheet))
    for name, sheet in sheets:
        say(f"To look at, {name}: {sheet}.")

    say(f"Drawing {POSTERS} fresh posters, and preparing them at {SIZE} pixels.")
    # The same posters and data set as the tour's in the README: their models can be compared.
    fresh = list(generate_demo_posters(out / "posters", POSTERS, "modern", seed=0))
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
    columns = evaluate_models(manifest, "test", [load(uri) for uri in models.values()])
    echo(markdown(metric_table(columns)))

    try:
        say(f"Promoting the better: {promote('l2_ab')[1]}.")
    except RegistryError as error:
        # A champion of the user's own data stays what it is.
        say(f"Not promoting: {error}.")

    say("Recoloring the old posters by it.")
    best = load(min(models.values(), key=lambda uri: columns[uri]["l2_ab"])).painter
    recolored = recolor_files(best, old, out / "recolored", sheet=True).sheet
    return [*sheets, ("recolored by what was trained", recolored)]


def scheme_sheet(painter: Painter, files: list[Path]) -> Image.Image:
    """Draw posters in several color schemes, each under its swatch."""
    rows = []
    for path in files[:SHOWN_POSTERS]:
        picture = to_rgb(open_image(path.read_bytes()))
        seen = painter.see(picture, Decoding())
        row = [with_swatch(ImageOps.contain(picture, (SIDE, SIDE)), None, SIDE)]
        for colors in SCHEMES.values():
            decoding = Decoding(palette=colors)
            palette = painter.palette(seen, decoding)
            painted = painter.painted(seen, palette, decoding)
            row.append(with_swatch(ImageOps.contain(painted, (SIDE, SIDE)), palette, SIDE))
        rows.append(row)
    return contact_sheet(rows, ["before", *SCHEMES], SIDE + SWATCH_HEIGHT)
