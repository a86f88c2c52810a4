"""What MLflow's scoring server runs of a restoration network. MLflow copies this file into it.

It needs the model's own requirements alone: what it imports of the project travels with the model.
"""

from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel
from PIL import Image

from recolor.datasets.errors import RecolorError
from recolor.datasets.images import MAX_PIXELS, decode_image, encode_png, images_in
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.models.restoring import Restorer


class PosterRestorer(PythonModel):
    """Restores images: base64 text (or raw bytes) of files in, base64 text of PNG files out."""

    def load_context(self, context):
        restorer = Restorer.load(Path(context.artifacts["weights"]), "the model's own")
        self.painter = Painter(_no_color_network, restorer)

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None):
        """Restore the column ``image`` of a data frame.

        Params:
            restore: The share of the ageing found that is undone, 0 to 1; null for all of it where
                the picture has colors to tell it by.

        Returns:
            A list of ``{"image": base64 text of a PNG file}``.

        Raises:
            MlflowException: If an image or a parameter can't be used; MLflow's server answers 400.
        """
        try:
            decoding = Decoding(restore=(params or {}).get("restore"))
        except RecolorError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        answers = []
        for number, data in enumerate(images_in(model_input["image"])):
            try:
                restored = self._restored(decode_image(data, MAX_PIXELS), decoding)
            except RecolorError as error:
                reason = str(error)
            except MemoryError:
                reason = "too large for the server's memory"
            else:
                answers.append({"image": encode_png(restored)})
                continue
            raise MlflowException.invalid_parameter_value(f"image {number}: {reason}")
        return answers

    def _restored(self, picture: Image.Image, decoding: Decoding) -> Image.Image:
        """Restore the poster in a picture, and leave a scan's margin as it is."""
        seen = self.painter.see(picture, decoding)
        return self.painter.painted(seen, seen.own_palette, decoding)


def _no_color_network():
    raise NotImplementedError("a restoration network doesn't recolor")


mlflow.models.set_model(PosterRestorer())
