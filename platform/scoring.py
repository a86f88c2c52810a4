"""Metrics of models and baselines over a split of a data set."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.input_pipeline import read_posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.posters import Box
from recolor.evaluation import baselines
from recolor.evaluation.figures import contact_sheet
from recolor.evaluation.metrics import SplitMetrics

BATCH_POSTERS = 8
SHEET_POSTERS = 12

# From a batch of posters, as arrays of `recolor.datasets.shards.parse`, to ab [batch, S, S, 2].
Predictor = Callable[[dict[str, np.ndarray]], np.ndarray]


def model_predictor(predict_ab: Callable, temperature: float, vividness: float) -> Predictor:
    """Wrap the ``predict_ab`` signature of a saved model."""

    def predict(batch: dict[str, np.ndarray]) -> np.ndarray:
        prediction = predict_ab(
            lightness=batch["lightness"],
            embedding=batch["embedding"],
            temperature=np.float32(temperature),
            vividness=np.float32(vividness),
        )
        return prediction["ab"].numpy()

    return predict


def baseline_predictors(manifest: Manifest) -> dict[str, Predictor]:
    """Return the baselines by name: gray, and the training posters' mean color if there are any."""
    shape = (manifest.size, manifest.size)
    predictors: dict[str, Predictor] = {
        "gray": lambda batch: np.stack([baselines.gray(shape) for _ in batch["box"]])
    }
    if manifest.mean_ab is not None:
        predictors["mean color"] = lambda batch: np.stack(
            [baselines.mean_color(shape, Box(*box), manifest.mean_ab) for box in batch["box"]]
        )
    return predictors


def score(
    manifest: Manifest,
    split: str,
    predictors: dict[str, Predictor],
    progress: Callable[[int], None] = lambda posters: None,
) -> dict[str, SplitMetrics]:
    """Measure every predictor, and the truth itself, in one pass over a split.

    Args:
        manifest: The data set.
        split: Its split.
        predictors: By column name.
        progress: Called with the number of posters after each batch.

    Returns:
        The measurements by column name; the last column is ``truth``.

    Raises:
        DatasetError: If the split is empty.
    """
    totals = {name: SplitMetrics() for name in [*predictors, "truth"]}
    with ThreadPoolExecutor() as pool:
        for batch in read_posters(manifest, split, BATCH_POSTERS):
            answers = {name: predict(batch) for name, predict in predictors.items()}
            answers["truth"] = batch["ab"]
            for name, ab in answers.items():
                # One by one, then added up in order: the sums don't depend on the threads.
                for part in pool.map(_score_poster, *_columns(batch), ab):
                    totals[name].merge(part)
            progress(len(batch["ab"]))
    return totals


def comparison_sheet(
    manifest: Manifest, split: str, predictors: dict[str, Predictor]
) -> Image.Image:
    """Draw the split's first posters: gray, each prediction, and the truth."""
    rows = []
    for batch in read_posters(manifest, split, BATCH_POSTERS):
        answers = [baselines.gray(batch["ab"].shape[1:3])[None].repeat(len(batch["ab"]), 0)]
        answers += [predict(batch) for predict in predictors.values()]
        answers.append(batch["ab"])
        for number, (lightness, _, box) in enumerate(zip(*_columns(batch), strict=True)):
            inside = Box(*box).slices
            rows.append(
                [
                    Image.fromarray(lab8_to_rgb(lightness[inside], ab[number][inside]))
                    for ab in answers
                ]
            )
        if len(rows) >= SHEET_POSTERS:
            break
    return contact_sheet(rows[:SHEET_POSTERS], ["gray", *predictors, "true"], columns=2)


def preview_sheet(manifest: Manifest, split: str) -> Image.Image:
    """Draw the split's first posters: what the network sees, and what it is to predict."""
    return comparison_sheet(manifest, split, {})


def _columns(batch: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return batch["lightness"][..., 0], batch["ab"], batch["box"]


def _score_poster(lightness, true_ab, box, predicted_ab) -> SplitMetrics:
    metrics = SplitMetrics()
    metrics.update(lightness, true_ab, predicted_ab, Box(*box))
    return metrics
