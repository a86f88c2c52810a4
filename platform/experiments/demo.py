"""The bundled network, then the whole platform at a small size, on drawn posters."""

import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageOps

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.images import as_picture
from recolor.datasets.preparation import prepare
from recolor.evaluation.metrics.catalog import DEFAULT_METRIC
from recolor.evaluation.sheets import SWATCH_HEIGHT, contact_sheet, with_swatch
from recolor.evaluation.tables import markdown, metric_table
from recolor.models.catalog import DEFAULT, PAPER
from recolor.models.decoding.options import FREE, Decoding
from recolor.models.painter import Painter
from recolor.platform.experiments.evaluation import evaluate_models
from recolor.platform.registry.model import load_model
from recolor.platform.registry.promotion import promote
from recolor.platform.registry.versions import CHAMPION, RegistryError, version_uri
from recolor.platform.serving.files import recolor_files
from recolor.platform.serving.targets import REPLACE
from recolor.platform.tracking.store import own_store
from recolor.platform.training.settings import Settings
from recolor.platform.training.tracked import train

# Schemes to show, as a user would type them.
SCHEMES = {
    "teal and orange": "#0b4f5c:2,#2a9d8f,#f28c28:2,#e9c46a",
    "fire": "#7f1d1d:2,#d62828:2,#f77f00:2,#fcbf49",
    "night": "#14213d:3,#3a5a98:2,#7b2d8b,#e0aaff",
    "forest": "#1b4332:2,#40916c:2,#95d5b2,#d4a373",
}
SUGGESTIONS, SIDE = 4, 256
OLD_POSTERS = 6

# As small as the whole chain can be, and still be better than gray at the end.
POSTERS = 120
SIZE = 32
SPLIT = (96, 12, 12)
TRAINING = {"epochs": 8, "batch_size": 4, "learning_rate": 3e-4}

STORE = "store"


def run_demo(out: Path, echo: Callable[[str], None]) -> None:
    """Recolor with the bundled network; then prepare, train, evaluate, promote and recolor.

    Args:
        out: Folder for posters, data and results, and for a store of the demo's own: the user's
            champion stays what it is.
        echo: Takes the lines that say what is being done, and what there is to look at.
    """
    started = time.monotonic()

    def say(text: str) -> None:
        echo(f"[{time.monotonic() - started:3.0f} s] {text}")

    pictures = {}
    say(f"Drawing {OLD_POSTERS} faded posters; the bundled networks restore and recolor them.")
    old = list(generate_demo_posters(out / "old-posters", OLD_POSTERS, "old", seed=1))
    pretrained = load_model(DEFAULT).painter
    pictures["color schemes"] = out / "schemes.png"
    scheme_sheet(pretrained, old).save(pictures["color schemes"])
    pictures["suggestions"] = recolor_files(
        pretrained,
        old,
        out / "suggestions",
        suggestions=SUGGESTIONS,
        sheet=True,
        existing=REPLACE,
    ).sheet
    for words, picture in pictures.items():
        say(f"To look at, {words}: {picture}")
    with own_store(out / STORE) as uri:
        pictures["recolored by what was trained"] = _whole_chain(out, old, say, echo)
    echo("\nPictures to look at:")
    for words, picture in pictures.items():
        echo(f"  {words}: {picture}")
    echo(f"Its runs and models are in {out / STORE}: mlflow ui --backend-store-uri {uri}")


def _whole_chain(
    out: Path, old: list[Path], say: Callable[[str], None], echo: Callable[[str], None]
) -> Path:
    """Take fresh posters from files to the old ones recolored; return the sheet of those."""
    say(f"Drawing {POSTERS} fresh posters, and preparing them at {SIZE} pixels.")
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
    models = []
    for kind in PAPER:
        settings = Settings(kind, **TRAINING)
        say(f"Training a {kind} network for {settings.epochs} epochs.")
        trained = train(manifest, settings)
        models.append(load_model(version_uri(trained.version)))

    say("Evaluating on posters that none of them has seen.")
    echo(markdown(metric_table(evaluate_models(manifest, "test", models).columns)))

    say("Promoting the better one.")
    try:
        echo(promote(DEFAULT_METRIC)[1])
    except RegistryError as error:
        # An earlier demo's champion in the same folder may be better.
        echo(str(error))

    chosen = load_model(CHAMPION)
    say(f"Recoloring the old posters by {chosen.about}.")
    # By default, colored posters are restored, which would show nothing of it.
    palette = SCHEMES["teal and orange"] if chosen.painter.network.takes_palette else FREE
    return recolor_files(
        chosen.painter,
        old,
        out / "recolored",
        decoding=Decoding(palette=palette),
        sheet=True,
        existing=REPLACE,
    ).sheet


def scheme_sheet(painter: Painter, files: list[Path]) -> Image.Image:
    """Draw posters in several color schemes, each under its swatch."""
    rows = []
    for path in files:
        picture = as_picture(path)
        seen = painter.see(picture, Decoding())
        row = [with_swatch(ImageOps.contain(picture, (SIDE, SIDE)), SIDE)]
        for colors in SCHEMES.values():
            decoding = Decoding(palette=colors)
            palette = painter.palette(seen, decoding)
            painted, changes = painter.painted_with_changes(seen, palette, decoding)
            small = ImageOps.contain(painted, (SIDE, SIDE))
            row.append(with_swatch(small, SIDE, palette, changes))
        rows.append(row)
    return contact_sheet(rows, ["before", *SCHEMES], SIDE + SWATCH_HEIGHT)
