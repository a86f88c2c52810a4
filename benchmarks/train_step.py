"""How fast, how large and how close to the machine's ceiling a training step is.

Every case runs in a process of its own, since Keras has one backend in each, and since the peak of
memory is a process's. From the project's root, for example:

    python benchmarks/train_step.py --backends tensorflow,jax --size 64 --batch-sizes 8,20

prints a table and writes it as JSON (``--json``). The arithmetic is counted from the networks'
layers; the ceiling is what a large matrix product reaches on the same device in the same precision.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from math import prod
from pathlib import Path

from recolor.models.catalog import MODELS

# To reach the peak of memory, and a first estimate of the time.
FIRST_STEPS = 2
MATRIX = {"cpu": 2048, "gpu": 8192}


def main() -> None:
    """Measure all cases that the command line asks for."""
    options = parse_arguments()
    if options.case:
        print(json.dumps(measure(**json.loads(options.case))))
        return
    cases = [
        {
            "backend": backend,
            "model": model,
            "precision": precision,
            "loss": loss,
            "batch_size": batch_size,
            "size": options.size,
            "seconds": options.seconds,
        }
        for backend, model, precision, batch_size in itertools.product(
            options.backends, options.models, options.precisions, options.batch_sizes
        )
        for loss in (options.losses if MODELS[model].takes_palette else ["sparse"])
    ]
    results = []
    for number, case in enumerate(cases, 1):
        print(f"{number}/{len(cases)} {case}", file=sys.stderr)
        results.append({**case, **run_apart(case)})
        if options.json:
            Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    words = {"type": lambda text: text.split(",")}
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--backends", default=["tensorflow", "jax"], **words)
    parser.add_argument("--models", default=list(MODELS), **words)
    parser.add_argument("--precisions", default=["float32", "mixed_bfloat16"], **words)
    parser.add_argument(
        "--losses", default=["sparse"], help="sparse,dense: of class distributions", **words
    )
    parser.add_argument(
        "--batch-sizes", default=[20], type=lambda text: [int(word) for word in text.split(",")]
    )
    parser.add_argument("--size", default=256, type=int, help="side of the posters in pixels")
    parser.add_argument("--seconds", default=10.0, type=float, help="to measure a case for")
    parser.add_argument("--json", metavar="FILE", help="rewritten after each case")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_apart(case: dict) -> dict:
    """Measure a case in another process; what can't be measured says why."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    env = {**os.environ, "KERAS_BACKEND": case["backend"], "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        return {"failed": lines[-1][:200] if lines else f"exit status {result.returncode}"}
    return json.loads(result.stdout.splitlines()[-1])


def measure(backend, model, precision, loss, batch_size, size, seconds) -> dict:
    """Train on one batch of noise again and again."""
    import keras
    import numpy as np

    from recolor.platform.training.devices import find_devices
    from recolor.platform.training.loop import compiled_network
    from recolor.platform.training.settings import Settings

    assert keras.backend.backend() == backend
    rng = np.random.default_rng(0)
    kind = MODELS[model](paper_classes())
    if loss == "dense":
        kind.loss = dense_loss(kind)
    network = compiled_network(kind, size, Settings(model, precision=precision), find_devices())
    lightness = rng.integers(0, 256, (batch_size, size, size, 1), np.uint8)
    embedding = np.zeros((batch_size, 1000), np.float32)
    ab = rng.integers(-60, 60, (batch_size, size, size, 2)).astype(np.int8)
    before = memory(backend)

    def steps(count: int) -> float:
        batches = itertools.repeat(((lightness, embedding), ab), count)
        start = time.perf_counter()
        network.fit((batch for batch in batches), steps_per_epoch=count, verbose=0)
        return time.perf_counter() - start

    first = steps(FIRST_STEPS)
    peak = memory(backend) - before
    once = min(steps(FIRST_STEPS), first) / FIRST_STEPS
    count = max(FIRST_STEPS, int(seconds / once))
    step = steps(count) / count
    arithmetic = 3 * forward_operations(network) * batch_size
    ceiling = matrix_ceiling(backend, precision)
    return {
        "device": device_name(backend),
        "ms_per_step": 1e3 * step,
        "posters_per_second": batch_size / step,
        "peak_mib": peak / 2**20,
        "gflop_per_poster": arithmetic / batch_size / 1e9,
        "tflops": arithmetic / step / 1e12,
        "ceiling_tflops": ceiling / 1e12,
        "share_of_ceiling": arithmetic / step / ceiling,
    }


def paper_classes():
    """As many color classes as the paper has, those around the neutral one."""
    import numpy as np

    from recolor.datasets.classes import GRID, ColorClasses

    counts = np.zeros((GRID, GRID), np.int64)
    row, column = np.indices((GRID, GRID)) - GRID // 2
    counts.flat[np.argsort(row**2 + column**2, axis=None, kind="stable")[:394]] = 1
    return ColorClasses.from_counts(counts.ravel())


def dense_loss(kind):
    """Equation 2 with the whole target, Q numbers a pixel, as it is usually written."""
    import keras
    from keras import ops

    def loss(ab, features):
        logits = kind.logits(features)
        neighbors, soft_weights = kind.classes.soft_encoding
        color = kind.colors_of_steps(ab)
        one_hot = ops.one_hot(ops.take(neighbors, color, axis=0), len(kind.classes))
        target = ops.sum(one_hot * ops.take(soft_weights, color, axis=0)[..., None], axis=-2)
        weights = ops.take(kind.classes.color_weights, color, axis=0)
        entropy = keras.losses.categorical_crossentropy(target, logits, from_logits=True)
        return ops.mean(weights * entropy, axis=(1, 2))

    return loss


def forward_operations(network) -> int:
    """Count the multiplications and additions of a forward pass of one poster.

    Backward, each convolution is one product for its inputs' gradient and one for its weights', of
    the same size as forward: a step is three times this. (The first layer needs no gradient of its
    inputs; that is not a hundredth of the whole.)
    """
    # A kernel is used once at every position of the output.
    return sum(
        2 * prod(layer.output.shape[1:-1]) * prod(layer.kernel.shape)
        for layer in network.layers
        if getattr(layer, "kernel", None) is not None
    )


def matrix_ceiling(backend: str, precision: str) -> float:
    """Measure the operations a second of a large matrix product in the layers' precision."""
    import numpy as np
    from keras import ops

    side = MATRIX["gpu" if on_gpu(backend) else "cpu"]
    dtype = precision.removeprefix("mixed_")
    matrix = ops.cast(np.random.default_rng(0).normal(size=(side, side)), dtype)
    multiply = ops.matmul
    if backend == "jax":
        import jax

        multiply = jax.jit(ops.matmul)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        product = matrix
        for _ in range(4):
            product = multiply(matrix, product) / side
        float(ops.cast(product[0, 0], "float32"))
        best = max(best, 4 * 2 * side**3 / (time.perf_counter() - start))
    return best


def on_gpu(backend: str) -> bool:
    """Whether the backend computes on a GPU."""
    return "cpu" not in device_name(backend).lower()


def device_name(backend: str) -> str:
    """Name the device that the backend computes on."""
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    elif backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return jax.devices()[0].device_kind
    else:
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    return f"CPU, {os.cpu_count()} cores"


def memory(backend: str) -> float:
    """Peak of memory so far, in bytes: the GPU's as the backend counts it, or the process's."""
    if on_gpu(backend):
        if backend == "tensorflow":
            import tensorflow as tf

            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
        if backend == "jax":
            import jax

            return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
        import torch

        return torch.cuda.max_memory_allocated()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(results: list[dict]) -> str:
    """Lay the results out as Markdown."""
    head = "backend, model, precision, loss, batch, posters/s, ms/step, peak MiB, TFLOP/s, ceiling"
    rows = [[*head.split(", "), "share"], ["---"] * 11]
    for one in results:
        case = [one[name] for name in ("backend", "model", "precision", "loss", "batch_size")]
        if "failed" in one:
            rows.append([*case, one["failed"], *[""] * 5])
            continue
        rows.append(
            [
                *case,
                f"{one['posters_per_second']:.1f}",
                f"{one['ms_per_step']:.0f}",
                f"{one['peak_mib']:.0f}",
                f"{one['tflops']:.3g}",
                f"{one['ceiling_tflops']:.3g}",
                f"{one['share_of_ceiling']:.0%}",
            ]
        )
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


if __name__ == "__main__":
    main()
