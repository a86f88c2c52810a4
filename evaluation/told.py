"""What a model is told about a poster, beside its lightness, before its answer is measured.

A gray picture has many right answers. What a model was told decides how near it can come to the
truth, so an answer is compared only with others that were told the same. Or a model is given the
poster in other colors, which say what belongs together; or in its own, aged or as they are, and is
to restore it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from recolor.datasets.assignments import NEUTRALS
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.errors import RecolorError
from recolor.datasets.hints import Hint
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.observation import Answer, MeasurementError, Predictor
from recolor.evaluation.pictures import AGED, OTHER_COLORS, UNAGED, Pictures
from recolor.models.color_table import paperness
from recolor.models.decoding.options import AUTO, DEFAULT_DECODING, FREE, SOURCE, Decoding
from recolor.models.painter import Painter, Seen
from recolor.models.restoring import Restoration, Restorer

NOTHING, PALETTE, PALETTE_SOURCE = "nothing", "palette", "palette+source"
FORMS = (
    "nothing, auto, palette, best4, hints5, palette+hints5 (any number of suggestions or hints), "
    "palette+source, aged, unaged"
)


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
        source: What belongs together, by a source in other colors, see `Pictures`.
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
        pictures: What models share that are given the same colored posters.
    """

    def __init__(
        self,
        painter: Painter,
        decoding: Decoding,
        embedded: bool = True,
        pictures: Pictures | None = None,
    ):
        self.painter = painter
        # Gray or in other colors, a poster has its true lightness: there is nothing to restore.
        self.decoding = replace(decoding, restore=0.0)
        self.embedded = embedded
        self.pictures = pictures or Pictures()
        self._poster: Mapping[str, np.ndarray] | None = None
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
            return self.pictures.restored(
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

        def predict(poster: Mapping[str, np.ndarray]) -> Answer:
            seen = self._see(poster, told.source)
            if told.suggestions:
                return self._best(poster, seen, self.painter.suggestions(seen, told.suggestions))
            palette = own_palette(poster) if told.palette else self.painter.palette(seen, decoding)
            hinted = replace(decoding, hint=_true_hints(poster, told.hints))
            answer = Answer(self._ab(poster, seen, palette, hinted), palette)
            if not told.source:
                return answer
            _, source = self.pictures.of(poster, OTHER_COLORS)
            return replace(answer, source=source, locked=paperness(source.lab))

        return predict

    def _see(self, poster: Mapping[str, np.ndarray], in_color: bool) -> Seen:
        if poster is not self._poster:
            self._poster, self._seen, self._painted = poster, {}, {}
        if in_color not in self._seen:
            light = poster["lightness"][Box.of(poster).slices][..., 0]
            if in_color:
                picture, _ = self.pictures.of(poster, OTHER_COLORS)
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
        ab[Box.of(poster).slices] = rgb_to_lab8(np.asarray(picture))[1]
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


def own_palette(poster: Mapping[str, np.ndarray]) -> Palette:
    """Return a stored poster's own palette."""
    inside = Box.of(poster).slices
    return Palette.of_pixels(
        poster["lightness"][inside][..., 0], poster["ab"][inside], "the poster's own"
    )


def _true_hints(poster: Mapping[str, np.ndarray], count: int) -> tuple[Hint, ...]:
    """Tell the true color at random points, always the same ones of a poster."""
    ab = poster["ab"][Box.of(poster).slices]
    generator = np.random.default_rng([int(str(poster["sha256"])[:8], 16), count])
    rows, columns = (generator.integers(side, size=count) for side in ab.shape[:2])
    return tuple(
        Hint(column + 0.5, row + 0.5, (False, False), tuple(ab[row, column].tolist()))
        for row, column in zip(rows, columns, strict=True)
    )
