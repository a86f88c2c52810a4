"""What a model is told about a poster, beside its lightness, before its answer is measured.

A gray picture has many right answers. What a model was told decides how near it can come to the
truth, so an answer is compared only with others that were told the same. Or a model is given the
poster in other colors, which say what belongs together; or in its own, aged or as they are, and is
to restore it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from keras import ops
from PIL import Image

from recolor.datasets.ageing import aged
from recolor.datasets.assignments import NEUTRALS
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8, round_ab
from recolor.datasets.errors import RecolorError
from recolor.datasets.hints import Hint
from recolor.datasets.input_pipeline import fixed_generator
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation import baselines, restoring_baselines
from recolor.evaluation.metrics.observation import Given, MeasurementError, Source, Truth
from recolor.evaluation.sources import Sources
from recolor.models.decoding.options import (
    AUTO,
    DEFAULT_DECODING,
    FREE,
    PALETTE_VIVIDNESS,
    SOURCE,
    Decoding,
)
from recolor.models.decoding.palette_transfer import CARRIED, move, transfer_moves
from recolor.models.painter import Painter, Seen
from recolor.models.restoring import Restoration, Restorer

NOTHING, PALETTE, PALETTE_SOURCE = "nothing", "palette", "palette+source"
# Colored posters to restore, artificially aged or as they are.
AGED, UNAGED = "aged", "unaged"
FORMS = (
    "nothing, auto, palette, best4, hints5, palette+hints5 (any number of suggestions or hints), "
    "palette+source, aged, unaged"
)
# With a poster's sha256, it decides how the poster ages: alike for all models and in all runs.
AGEING_SEED = 1


class ToldError(RecolorError):
    """What a model is to be told is not understood."""


@dataclass(frozen=True)
class Told:
    """What a model is told.

    Attributes:
        palette: The poster's own palette.
        auto: To choose the best-fitting color scheme itself.
        suggestions: How many suggestions to make, of which the one nearest to the truth counts; 0
            for a single answer.
        hints: The true color at this many random points.
        source: What belongs together, by a source in other colors, see `Sources`.
        age: `AGED` or `UNAGED`, where it is not told anything of a gray poster, but given the
            poster in color, to restore it; empty otherwise.
    """

    palette: bool = False
    auto: bool = False
    suggestions: int = 0
    hints: int = 0
    source: bool = False
    age: str = ""

    @classmethod
    def parse(cls, text: str) -> "Told":
        """Parse one of `FORMS`.

        Raises:
            ToldError: If the text is not one of them.
        """
        if text == NOTHING:
            return cls()
        if text in (AGED, UNAGED):
            return cls(age=text)
        if text == PALETTE_SOURCE:
            return cls(palette=True, source=True)
        if best := re.fullmatch(r"best([1-9]\d?)", text):
            return cls(suggestions=int(best[1]))
        parts = re.fullmatch(r"(palette|auto|)(?:(?:^|\+)hints([1-9]\d?))?", text)
        if not text or not parts:
            raise ToldError(f"{text!r} is nothing that can be told: choose one of {FORMS}")
        return cls(parts[1] == PALETTE, parts[1] == AUTO, hints=int(parts[2] or 0))


@dataclass(frozen=True)
class Answer:
    """The colors of a poster, and what is needed to measure them.

    Attributes:
        ab: ``int8 [S, S, 2]``, neutral in the padding.
        asked: The palette that was asked for, if any.
        suggestions: All answers that this one was chosen from.
        lightness: Stored L, ``uint8 [S, S]``; None for the poster's own.
        given: The colored poster that was restored; None where it answers to something else.
        source: The colored poster that was recolored; None where it answers to something else.
        locked: How far each pixel of the poster alone was to keep the source's color, 0 to 1,
            ``[h, w]``; None for not at all.
    """

    ab: np.ndarray
    asked: Palette | None = None
    suggestions: tuple[np.ndarray, ...] = ()
    lightness: np.ndarray | None = None
    given: Given | None = None
    source: Source | None = None
    locked: np.ndarray | None = None


# From a poster, as of `recolor.datasets.shards.parse`, to an answer.
Predictor = Callable[[dict[str, np.ndarray]], Answer]


class Restorations:
    """Answers to colored posters, which are to be restored.

    All models and baselines that share one are given the same pictures, which are made once.
    """

    def __init__(self):
        self._poster: dict[str, np.ndarray] | None = None
        self._truth: Truth | None = None
        self._given: dict[str, tuple[Image.Image, Given]] = {}

    def by(self, restore: Callable[[Image.Image], Image.Image], age: str) -> Predictor:
        """Return a predictor that restores.

        Args:
            restore: Takes an RGB picture, and returns one of the same size.
            age: `AGED` or `UNAGED`.

        Raises:
            MeasurementError: When the predictor is called, if ``restore`` raises it.
        """
        return self._predictor(lambda picture, true: restore(picture), age)

    def baselines(self, age: str) -> dict[str, Predictor]:
        """Return the answers without a model by name, and the best that nine numbers can do."""
        simple = restoring_baselines.BASELINES.items()
        return {
            **{name: self.by(restore, age) for name, restore in simple},
            "oracle": self._predictor(restoring_baselines.oracle, age),
        }

    def _predictor(
        self, restore: Callable[[Image.Image, Image.Image], Image.Image], age: str
    ) -> Predictor:
        """Return a predictor by a function that sees the true picture, too."""

        def predict(poster: dict[str, np.ndarray]) -> Answer:
            picture, given = self._given_as(poster, age)
            try:
                restored = restore(picture, Image.fromarray(self._truth.colors.rgb))
            except MeasurementError as error:
                raise MeasurementError(f"poster {poster['sha256']}: {error}") from None
            lightness, ab = _in_square(np.asarray(restored), poster)
            return Answer(ab, lightness=lightness, given=given)

        return predict

    def _given_as(self, poster: dict[str, np.ndarray], age: str) -> tuple[Image.Image, Given]:
        """Return the picture that is given, and the same to be measured."""
        if poster is not self._poster:
            self._truth = Truth(poster["lightness"][..., 0], poster["ab"], _box(poster))
            self._poster, self._given = poster, {}
        if age not in self._given:
            rgb = self._truth.colors.rgb
            if age == AGED:
                rgb = aged(rgb, fixed_generator(poster, AGEING_SEED))
            given = Given(self._truth, *_in_square(rgb, poster), age)
            self._given[age] = Image.fromarray(rgb), given
        return self._given[age]


class FiniteRestorer:
    """A restorer whose numbers are measured only if they are finite: no picture shows it."""

    def __init__(self, restorer: Restorer):
        self._restorer = restorer

    def look(self, poster: Image.Image) -> Restoration:
        """Find how a picture has aged.

        Raises:
            MeasurementError: If the network's numbers are not finite.
        """
        found = self._restorer.look(poster)
        if not np.isfinite([found.haze, found.kept, found.stain]).all():
            raise MeasurementError("the restoration network's numbers are not finite")
        return found

    def restored(self, picture: Image.Image) -> Image.Image:
        """Restore a picture, whether it has colors or not."""
        return self.look(picture).applied(picture)


class Predictions:
    """A model's answers for stored posters: those of the pictures that `recolor apply` writes.

    The model sees each poster as an RGB picture of its lightness, or in other colors. What it made
    of the last poster is kept, so that telling it something else costs only the painting. Or it is
    given the poster in color, and answers as `recolor apply` does without any option; its color
    network is not loaded unless that takes the poster for gray.

    Args:
        painter: The model.
        decoding: How its answers to gray posters become colors.
        embedded: Whether the posters' stored embeddings are the model's. Otherwise it computes its
            own.
        restorations: What models share that are given the same colored posters to restore.
        sources: What models share that are given the same posters in other colors.
    """

    def __init__(
        self,
        painter: Painter,
        decoding: Decoding,
        embedded: bool = True,
        restorations: Restorations | None = None,
        sources: Sources | None = None,
    ):
        self.painter = painter
        # Gray or in other colors, a poster has its true lightness: there is nothing to restore.
        self.decoding = replace(decoding, restore=0.0)
        self.embedded = embedded
        self.restorations = restorations or Restorations()
        self.sources = sources or Sources()
        self._poster: dict[str, np.ndarray] | None = None
        # By whether it was seen in other colors.
        self._seen: dict[bool, Seen] = {}
        self._painted: dict[str, np.ndarray] = {}

    def told(self, told: Told) -> Predictor:
        """Return a predictor that tells the model something.

        Raises:
            ToldError, DecodingError: If the model can't be told that.
            MeasurementError: When the predictor is called, if the network's outputs are not finite.
        """
        if told.age:
            painter = replace(self.painter, restorer=FiniteRestorer(self.painter.restorer))
            return self.restorations.by(
                lambda picture: painter.recolor(picture, DEFAULT_DECODING), told.age
            )
        decoding = self.decoding
        if told.auto or told.palette or told.suggestions:
            decoding = replace(decoding, palette=AUTO)
        elif decoding.palette is None:
            decoding = replace(decoding, palette=FREE)
        elif decoding.palette == SOURCE:
            raise ToldError("posters are measured as gray ones: they have no palette of their own")
        if told.source:
            # In other colors, no skin is as it is to be.
            decoding = replace(decoding, lock=(NEUTRALS,))
        hint = (Hint(0, 0, (False, False), (0, 0)),) * told.hints
        self.painter.check(replace(decoding, hint=hint))

        def predict(poster: dict[str, np.ndarray]) -> Answer:
            seen = self._see(poster, told.source)
            if told.suggestions:
                return self._best(poster, seen, self.painter.suggestions(seen, told.suggestions))
            palette = _own_palette(poster) if told.palette else self.painter.palette(seen, decoding)
            hinted = replace(decoding, hint=_true_hints(poster, told.hints))
            source = self.sources.of(poster)[1] if told.source else None
            return Answer(self._ab(poster, seen, palette, hinted), palette, source=source)

        return predict

    def _see(self, poster: dict[str, np.ndarray], in_color: bool) -> Seen:
        if poster is not self._poster:
            self._poster, self._seen, self._painted = poster, {}, {}
        if in_color not in self._seen:
            light = poster["lightness"][_box(poster).slices][..., 0]
            if in_color:
                picture, _ = self.sources.of(poster)
            else:
                picture = Image.fromarray(lab8_to_rgb(light, np.zeros((*light.shape, 2))))
            known = poster["embedding"] if self.embedded else None
            # A gray border would be taken for a scan's margin, and stay gray.
            whole = Box(0, 0, *light.shape)
            seen = self.painter.see(picture, self.decoding, known, whole)
            # A picture has no room for what is not finite: it would come out as some color.
            if not np.isfinite(seen.look.answer["outputs"]).all():
                raise MeasurementError(
                    f"poster {poster['sha256']}: the network's outputs are not finite numbers "
                    "everywhere"
                )
            self._seen[in_color] = seen
        return self._seen[in_color]

    def _ab(self, poster, seen: Seen, palette: Palette | None, decoding: Decoding) -> np.ndarray:
        picture = self.painter.painted(seen, palette, decoding)
        ab = np.zeros_like(poster["ab"])
        ab[_box(poster).slices] = rgb_to_lab8(np.asarray(picture))[1]
        return ab

    def _best(self, poster, seen: Seen, palettes: list[Palette]) -> Answer:
        """Choose the suggestion that is nearest to the truth."""
        for palette in palettes:
            if palette.name not in self._painted:
                self._painted[palette.name] = self._ab(poster, seen, palette, self.decoding)
        answers = [self._painted[palette.name] for palette in palettes]
        errors = [np.square(poster["ab"].astype(np.int32) - ab).sum() for ab in answers]
        best = int(np.argmin(errors))
        return Answer(answers[best], palettes[best], tuple(answers))


def baselines_told_the_palette(
    colors: baselines.ColorsByLightness, vividness: float = PALETTE_VIVIDNESS
) -> dict[str, Predictor]:
    """Return answers without a model that know a poster's own palette, or the poster itself.

    Args:
        colors: Counted on training posters.
        vividness: How far the colors by lightness are moved to the palette's own, 0 to 1: use that
            of the models beside them.
    """

    def predictor(function) -> Predictor:
        def predict(poster: dict[str, np.ndarray]) -> Answer:
            return Answer(function(poster, _box(poster)), _own_palette(poster))

        return predict

    def lightness(poster):
        return poster["lightness"][..., 0]

    def under_palette(poster, box):
        palette = _own_palette(poster)
        ab = colors.under(palette, lightness(poster), box)
        if vividness:
            ab[box.slices] = _carried(ab[box.slices], palette, vividness)
        return ab

    return {
        "own mean color": predictor(
            lambda poster, box: baselines.own_mean_color(poster["ab"], box)
        ),
        "lightness under the palette": predictor(under_palette),
        "matched histograms": predictor(
            lambda poster, box: baselines.matched_histograms(lightness(poster), poster["ab"], box)
        ),
        "matched deviations": predictor(
            lambda poster, box: baselines.matched_deviations(lightness(poster), poster["ab"], box)
        ),
    }


def baselines_told_the_source(sources: Sources) -> dict[str, Predictor]:
    """Return answers without a model that know a poster's own palette and it in other colors.

    Args:
        sources: The same as the models have.
    """

    def left_alone(poster: dict[str, np.ndarray]) -> Answer:
        _, source = sources.of(poster)
        return Answer(source.colors.ab, _own_palette(poster), source=source)

    def moved(poster: dict[str, np.ndarray]) -> Answer:
        _, source = sources.of(poster)
        palette, ab = _own_palette(poster), source.colors.ab.copy()
        inside = _box(poster).slices
        ab[inside] = _carried(ab[inside], palette, 1.0)
        return Answer(ab, palette, source=source)

    return {"source left alone": left_alone, "source moved to the palette": moved}


def _carried(ab: np.ndarray, palette: Palette, vividness: float) -> np.ndarray:
    """Move colors ``int8 [h, w, 2]`` towards a palette's own, as models do."""
    ab = ab.astype(np.float32)
    rows, columns = (np.linspace(0, side - 1, CARRIED).astype(int) for side in ab.shape[:2])
    some = ab[np.ix_(rows, columns)].reshape(-1, 2)
    moves = transfer_moves(some, np.float32(palette.shares), np.float32(palette.colors))
    return round_ab(ops.convert_to_numpy(move(ab, moves, vividness)))


def _box(poster: dict[str, np.ndarray]) -> Box:
    return Box(*poster["box"])


def _in_square(rgb: np.ndarray, poster: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Put a picture in a poster's place: stored L ``uint8 [S, S]`` and ab ``int8 [S, S, 2]``."""
    lightness, ab = poster["lightness"][..., 0].copy(), np.zeros_like(poster["ab"])
    inside = _box(poster).slices
    lightness[inside], ab[inside] = rgb_to_lab8(rgb)
    return lightness, ab


def _own_palette(poster: dict[str, np.ndarray]) -> Palette:
    inside = _box(poster).slices
    return Palette.of_pixels(
        poster["lightness"][inside][..., 0], poster["ab"][inside], "the poster's own"
    )


def _true_hints(poster: dict[str, np.ndarray], count: int) -> tuple[Hint, ...]:
    """Tell the true color at random points, always the same ones of a poster."""
    ab = poster["ab"][_box(poster).slices]
    generator = np.random.default_rng([int(str(poster["sha256"])[:8], 16), count])
    rows, columns = (generator.integers(side, size=count) for side in ab.shape[:2])
    return tuple(
        Hint(column + 0.5, row + 0.5, (False, False), tuple(ab[row, column].tolist()))
        for row, column in zip(rows, columns, strict=True)
    )
