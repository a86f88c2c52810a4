"""What runs inside of MLflow's scoring server. MLflow copies this file into the model.

It needs the model's own requirements alone: ``recolor.datasets.images`` travels with the model.
"""

import base64
import binascii

import mlflow
import numpy as np
import pandas as pd
import tensorflow as tf
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel

from recolor.datasets.images import ImageError, open_image, to_rgb


class PosterRecolorer(PythonModel):
    """Recolors images: base64 text (or raw bytes) of files in, base64 text of PNG files out."""

    def load_context(self, context):
        self.saved_model = tf.saved_model.load(context.artifacts["saved_model"])

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None):
        """Recolor the column ``image`` of a data frame.

        Params:
            temperature: T of the annealed mean, 0.001 to 100; the regression network does not look
                at it.
            vividness: 0 for colors as the network predicts them, 1 for those that posters have.
        """
        images = model_input["image"]
        answers = [
            self._recolor_file(data, f"image {number}", **params)
            for number, data in enumerate(images)
        ]
        return [{"image": answer} for answer in answers]

    def recolor(self, rgb: np.ndarray, temperature: float, vividness: float) -> np.ndarray:
        """Recolor ``uint8 [height, width, 3]`` at its own resolution."""
        if not 0.001 <= temperature <= 100:
            raise _bad_request(f"temperature must lie between 0.001 and 100, not {temperature}")
        if not 0 <= vividness <= 1:
            raise _bad_request(f"vividness must lie between 0 and 1, not {vividness}")
        signature = self.saved_model.signatures["recolor"]
        colored = signature(
            rgb=tf.constant(rgb),
            temperature=tf.constant(temperature, tf.float32),
            vividness=tf.constant(vividness, tf.float32),
        )
        return colored["rgb"].numpy()

    def _recolor_file(self, data, name: str, temperature: float, vividness: float) -> str:
        if isinstance(data, str):
            try:
                data = base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                raise _bad_request(f"{name}: not base64") from None
        try:
            rgb = to_rgb(open_image(data))
        except ImageError as error:
            raise _bad_request(f"{name}: {error}") from None
        png = tf.io.encode_png(self.recolor(np.asarray(rgb), temperature, vividness)).numpy()
        return base64.b64encode(png).decode()


def _bad_request(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


mlflow.models.set_model(PosterRecolorer())
