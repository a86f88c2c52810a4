"""A `Recolorer` as an ONNX file, which needs neither TensorFlow nor Keras to run.

The file holds the graphs of `look`, `assign`, `choose` and `paint` beside each other. They have
nothing in common but the file: `recolor.platform.serving.onnx_painter` takes them apart again.
"""

import json
import logging
from functools import reduce
from pathlib import Path

import keras
import onnx
import tensorflow as tf
from onnx.compose import add_prefix, merge_models
from tf2onnx.optimizer import optimize_graph
from tf2onnx.tfonnx import process_tf_graph

from recolor.models.recolorer import Recolorer
from recolor.models.weights import Weights
from recolor.platform.serving.onnx_painter import ABOUT, OUT, STEPS
from recolor.platform.serving.saved_model import RecoloringGraph

# Of ONNX' operations: the newest that tf2onnx writes.
OPSET = 18


class ConvertibleGraph(RecoloringGraph):
    """A `RecoloringGraph` of operations that tf2onnx knows. It is made as a `Recolorer` is."""

    def __init__(self, weights: Weights, embedding: keras.Model | None):
        super().__init__(weights, embedding)
        self.calibration = weights.calibration
        variables = [*self.network.variables, *(embedding.variables if embedding else [])]
        self._values = [(variable, variable.numpy()) for variable in variables]

    def save(self, file: Path, about: dict) -> None:
        """Write the ONNX file.

        Args:
            file: Where to.
            about: What is kept in the file's metadata, as JSON.
        """
        # It warns of what it does, and prints the traceback of an error that it raises as well.
        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
        model = reduce(
            lambda one, other: merge_models(one, other, io_map=[]), map(self._converted, STEPS)
        )
        model.producer_name, model.graph.name = "recolor", "recolor"
        model.doc_string = about["description"]
        onnx.helper.set_model_props(model, {ABOUT: json.dumps(about)})
        onnx.checker.check_model(model)
        file.write_bytes(model.SerializeToString())

    def paint(self, *rows, **given):
        """Paint as a `Recolorer` does, by steps that are not compiled."""
        return Recolorer.paint(self, *rows, **given)

    _as_pixels, _at_rows = Recolorer._as_pixels, Recolorer._at_rows

    def _converted(self, step: str) -> onnx.ModelProto:
        """Convert a step; all its names begin with the step's."""
        function = self.steps[step]

        def with_constants(*arguments):
            # In the place of variables, which tf2onnx would make constants of by rewriting the
            # graph in a way in which the branches of `tf.cond` lose their shapes.
            with keras.StatelessScope(state_mapping=self._values):
                answer = function.python_function(*arguments)
            return {OUT + name: value for name, value in answer.items()}

        graph = tf.function(with_constants, function.input_signature, autograph=False)
        graph = graph.get_concrete_function()
        inputs, outputs = (
            [tensor.name for tensor in ends] for ends in (graph.inputs, graph.outputs)
        )
        # TensorFlow gives the outputs in the order of their names.
        names = [*(one.name for one in function.input_signature), *sorted(graph.structured_outputs)]
        converted = process_tf_graph(
            graph.graph,
            opset=OPSET,
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=dict(zip(inputs + outputs, names, strict=True)),
        )
        model = optimize_graph(converted, catch_errors=False).make_model(step)
        return add_prefix(model, f"{step}/")

    @staticmethod
    def _resize(pictures, shape, antialias=False):
        """Resize pictures ``[..., h, w, n]`` bilinearly, as `tf.image.resize` does."""
        for axis, side in enumerate(shape):
            *batch, height, width, channels = tf.unstack(tf.shape(pictures))
            weights = _weights((height, width)[axis], side, antialias)
            if axis == 0:
                rows = tf.reshape(pictures, [*batch, height, width * channels])
                flat = tf.matmul(weights, rows)
                pictures = tf.reshape(flat, [*batch, side, width, pictures.shape[-1]])
            else:
                pictures = tf.matmul(weights, pictures)
        return pictures


def _weights(count, side, antialias):
    """Return what each of ``count`` rows counts in each row of the resized picture."""
    count, side = tf.cast(count, tf.float32), tf.cast(side, tf.float32)
    scale = count / side
    place = (tf.range(side) + 0.5) * scale
    if antialias:
        reach = tf.maximum(scale, 1.0)
    else:
        # Beyond the outer rows, their values hold.
        reach, place = 1.0, tf.clip_by_value(place, 0.5, count - 0.5)
    distance = tf.abs(tf.range(count) + 0.5 - place[:, None])
    weights = tf.maximum(0.0, 1 - distance / reach)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
