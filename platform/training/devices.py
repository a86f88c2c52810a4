"""The devices that a training runs on, with each framework.

- TensorFlow: `MultiWorkerMirroredStrategy` where ``TF_CONFIG`` names several workers, otherwise
  `MirroredStrategy` where there are several GPUs.
- JAX: `keras.distribution.DataParallel` over all devices, where there are several.
- PyTorch: one device.

TensorFlow is imported only where it is Keras' backend.
"""

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import keras
import numpy as np

from recolor.datasets.errors import RecolorError, first_line
from recolor.datasets.input_pipeline import WHOLE, Batch, Share

BACKEND = keras.backend.backend()


class DeviceError(RecolorError):
    """``TF_CONFIG`` can't be used, or the workers don't agree."""


class Devices:
    """A single device, and the base class of the others.

    Attributes:
        share: The part of each batch that this worker reads.
        chief: Whether this worker writes checkpoints and logs.
        lost_worker_errors: The errors that are raised here when another worker is lost.
        takes_all_settings: False where Keras can't clip or accumulate gradients, scale the loss or
            compile the step.
    """

    share: Share = WHOLE
    chief: bool = True
    lost_worker_errors: tuple[type[Exception], ...] = ()
    takes_all_settings: bool = True

    def scope(self) -> AbstractContextManager:
        """Return the context in which variables must be created."""
        return nullcontext()

    def adopt(self, network: keras.Model) -> keras.Model:
        """Return a network of the same variables that can be trained here; call it in `scope`."""
        return network

    def feed(self, batches: Iterator[Batch]):
        """Turn this worker's batches into what `fit` takes."""
        return batches

    def check_agreement(self, epoch: int) -> None:
        """Check that all workers begin at the same epoch.

        Raises:
            DeviceError: If they do not, since not all of them can read the checkpoint.
        """


def find_devices() -> Devices:
    """Choose the devices; must be called before anything else is created with Keras.

    Raises:
        DeviceError: If ``TF_CONFIG`` can't be used.
    """
    if BACKEND == "tensorflow":
        return _find_tensorflow_devices()
    if os.environ.get("TF_CONFIG"):
        raise DeviceError(f"TF_CONFIG is TensorFlow's, but KERAS_BACKEND is {BACKEND}: unset one")
    if BACKEND == "jax":
        import jax

        if jax.device_count() > 1:
            return _JaxDevices(jax.device_count())
    return Devices()


def make_deterministic() -> None:
    """Make results reproducible bit by bit on the same machine.

    On GPUs, JAX needs ``XLA_FLAGS=--xla_gpu_deterministic_ops=true`` in the environment as well.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif BACKEND == "torch":
        import torch

        # cuBLAS needs this, and reads it when it multiplies the first matrix.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def jit_helps() -> bool:
    """Whether compiling the step is known to make training faster.

    JAX depends on it. On CPUs, XLA makes TensorFlow's step a third slower. PyTorch's compiler takes
    more time than most trainings here would save.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return BACKEND == "jax"


class _JaxDevices(Devices):
    def __init__(self, count: int):
        self.share = Share(count, 0, count)
        keras.distribution.set_distribution(keras.distribution.DataParallel())


def _find_tensorflow_devices() -> Devices:
    import tensorflow as tf

    cluster = _cluster()
    if cluster is not None:
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise DeviceError(f"TF_CONFIG can't be used: {first_line(error)}") from None
        workers, index = cluster
        return _TensorFlowDevices(strategy, workers, index)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        names = [device.name for device in devices]
        return _TensorFlowDevices(tf.distribute.MirroredStrategy(names), 1, 0)
    return Devices()


def _cluster() -> tuple[int, int] | None:
    """Return the number of workers in TF_CONFIG and this one's index; None for a single one."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        workers = [*config["cluster"].get("chief", []), *config["cluster"].get("worker", [])]
        kind, index = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DeviceError("TF_CONFIG does not describe a cluster and a task") from None
    if kind == "worker":
        index += len(config["cluster"].get("chief", []))
    elif kind != "chief":
        raise DeviceError(f"TF_CONFIG: a task of type {kind!r} can't train; use chief or worker")
    if not 0 <= index < len(workers):
        raise DeviceError(f"TF_CONFIG: there is no {kind} {config['task']['index']} in its cluster")
    return (len(workers), index) if len(workers) > 1 else None


class _TensorFlowDevices(Devices):
    takes_all_settings = False

    def __init__(self, strategy, workers: int, index: int):
        import tensorflow as tf

        local = strategy.num_replicas_in_sync // workers
        self.strategy = strategy
        self.share = Share(strategy.num_replicas_in_sync, index * local, local)
        self.chief = index == 0
        if workers > 1:
            self.lost_worker_errors = (
                tf.errors.AbortedError,
                tf.errors.CancelledError,
                tf.errors.DeadlineExceededError,
                tf.errors.InternalError,
                tf.errors.UnavailableError,
            )

    def scope(self) -> AbstractContextManager:
        return self.strategy.scope()

    def adopt(self, network: keras.Model) -> keras.Model:
        return _distributed_model_class()(network.inputs, network.output)

    def feed(self, batches: Iterator[Batch]):
        import tensorflow as tf

        first = next(batches)
        batches = itertools.chain([first], batches)

        def pieces():
            for inputs, ab in batches:
                for parts in zip(
                    *(np.split(array, self.share.count) for array in (*inputs, ab)), strict=True
                ):
                    yield parts[:-1], parts[-1]

        inputs, ab = first
        signature = tuple(
            tf.TensorSpec([None, *array.shape[1:]], array.dtype) for array in (*inputs, ab)
        )
        # One piece for each device of this worker. The batches are sharded already.
        return self.strategy.distribute_datasets_from_function(
            lambda context: tf.data.Dataset.from_generator(
                pieces, output_signature=(signature[:-1], signature[-1])
            ).prefetch(2)
        )

    def check_agreement(self, epoch: int) -> None:
        import tensorflow as tf

        begun = self.strategy.run(lambda: tf.constant([epoch]))
        if len(found := set(self.strategy.gather(begun, axis=0).numpy().tolist())) > 1:
            raise DeviceError(
                f"workers start after different epochs ({sorted(found)}): "
                "the checkpoint must be where all of them can read it"
            )


def _distributed_model_class() -> type[keras.Model]:
    import tensorflow as tf

    class DistributedModel(keras.Model):
        """Works around two failures of Keras 3.15 with several workers."""

        def _maybe_symbolic_build(self, iterator=None, data_batch=None):
            # Keras would average a batch over the workers here, which TensorFlow refuses, only to
            # know the shapes. The network is built already.
            pass

        def train_step(self, data):
            return self._as_vectors(super().train_step(data))

        def test_step(self, data):
            return self._as_vectors(super().test_step(data))

        @staticmethod
        def _as_vectors(metrics):
            # Keras averages them along their first axis, so they need one.
            return {name: tf.reshape(value, [1]) for name, value in metrics.items()}

    return DistributedModel
