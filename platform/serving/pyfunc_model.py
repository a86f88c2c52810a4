"""What runs inside of MLflow's scoring server. MLflow copies this file into the model.

It needs the model's own requirements alone: what it imports of the project travels with the model.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mlflow
import pandas as pd
import tensorflow as tf
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel
from PIL import Image

from recolor.datasets.errors import RecolorError
from recolor.datasets.images import MAX_PIXELS, ImageError, decode_image, encode_png, images_in
from recolor.datasets.palettes.library import load_library
from recolor.datasets.palettes.palette import Palette
from recolor.models.decoding.typed import REPEATED, typed_decoding
from recolor.models.painter import Painter
from recolor.models.restoring import Restorer

# What is longer was not meant as a palette's name.
LONGEST_NAME = 200


class PosterRecolorer(PythonModel):
    """Recolors images: base64 text (or raw bytes) of files in, base64 text of PNG files out."""

    open_picture = staticmethod(partial(decode_image, most_pixels=MAX_PIXELS))

    @classmethod
    def of(
        cls, painter: Painter, open_picture: Callable[[object], Image.Image]
    ) -> "PosterRecolorer":
        """Make one of a painter.

        Args:
            painter: What recolors.
            open_picture: Opens an image file as `decode_image` does.
        """
        recolorer = cls()
        recolorer.painter, recolorer.open_picture = painter, open_picture
        return recolorer

    def load_context(self, context):
        # Kept, since its signatures hold no reference to its variables.
        self.saved_model = tf.saved_model.load(context.artifacts["saved_model"])
        about = json.loads(Path(context.artifacts["about"]).read_text(encoding="utf-8"))
        signatures = self.saved_model.signatures
        steps = (_tensors(signatures[name]) for name in ("look", "assign", "choose", "paint"))
        restorer = Restorer.load(Path(context.artifacts["restoration"]), "the model's own")
        self.painter = Painter.of(*steps, about, load_library(), restorer)

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None):
        """Recolor the column ``image`` of a data frame.

        Params, each of which may be null for its default:
            palette: ``source``, ``auto``, ``none``, a scheme's name, colors as
                ``#0b3c5d,orange:3``, or another picture as base64 text. Empty
                for ``source`` where the picture has color, and ``auto`` where it has none.
            hint, assign, lock: Each ``X,Y=#rrggbb``, ``#rrggbb=#rrggbb`` or ``#rrggbb``, with
                spaces between them.

            The others are those of `recolor.models.decoding.options.Decoding`.

        Returns:
            A list of ``{"image": base64 text of a PNG file}``.

        Raises:
            MlflowException: If an image or a parameter can't be used; MLflow's server answers 400.
        """
        params = params or {}
        try:
            decoding = typed_decoding(
                params | {name: (params.get(name) or "").split() for name in REPEATED},
                self.painter.library or load_library(),
                self._palette,
            )
        except RecolorError as error:
            raise _bad_request(str(error)) from None
        answers = []
        for number, data in enumerate(images_in(model_input["image"])):
            try:
                recolored = self.painter.recolor(self.open_picture(data), decoding)
            except RecolorError as error:
                raise _bad_request(f"image {number}: {error}") from None
            except (MemoryError, tf.errors.ResourceExhaustedError):
                raise _bad_request(f"image {number}: too large for the server's memory") from None
            answers.append({"image": encode_png(recolored)})
        return answers

    def _palette(self, text: str) -> Palette | None:
        """Return the palette of a picture that is given as base64 text or as a data URL.

        Raises:
            ImageError: If it is not an image, and too long to be a palette's name.
        """
        try:
            return Palette.of_picture(self.open_picture(text), "a picture")
        except ImageError as error:
            if len(text) <= LONGEST_NAME:
                return None
            raise ImageError(f"palette: {error}") from None


def _tensors(signature):
    """Let a signature take NumPy arrays."""
    _, types = signature.structured_input_signature

    def call(**arrays):
        return signature(
            **{
                name: tf.convert_to_tensor(array, types[name].dtype)
                for name, array in arrays.items()
            }
        )

    return call


def _bad_request(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


mlflow.models.set_model(PosterRecolorer())
