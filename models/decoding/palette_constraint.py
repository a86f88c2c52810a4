"""Decoding under a palette: the colors of a picture, taken together, are a given distribution.

Lightness seldom says whether letters are red or blue, but it does say which pixels belong together.
So a network's class distributions are kept as far as the palette allows: each class gets an offset,
the same for all pixels, such that the mean distribution over the picture becomes the palette.
"""

from keras import ops

# T1: how much the network's distributions are sharpened before the constraint. It is less than one
# because a network that was trained with rebalanced classes spreads its answers too far.
SHARPENING = 0.7
ROUNDS = 12
# The smallest share of a class, so that no logarithm is infinite.
SMALLEST_SHARE = 1e-5
# The lowest log-probability of a class at a pixel: what the network rules out stays within the
# reach of an offset in single precision.
FLOOR = -40.0


def palette_offsets(logits, palette, weights, rounds: int = ROUNDS, sharpening: float = SHARPENING):
    """Find the offsets of the logits that make a picture's mean distribution the palette.

    Iterative proportional fitting, one side of Sinkhorn's algorithm, on the pixels x::

        u(x) = softmax(logits(x) / T1 + v)
        v   += log(palette) - log(mean of u)

    Args:
        logits: ``float32 [batch, pixels, Q]``. A few hundred pixels from all over the picture do.
        palette: The wanted share of each class, ``float32 [batch, Q]``, with sum 1.
        weights: What each pixel counts, ``float32 [batch, pixels]``; 0 for one outside of the
            picture.
        rounds: Number of iterations.
        sharpening: T1.

    Returns:
        T1 v, to be added to the logits: ``float32 [batch, Q]``.
    """
    logits = ops.cast(logits, "float32") / sharpening
    # Shares before the offsets, up to a factor for each pixel.
    shares = ops.exp(ops.maximum(logits - ops.max(logits, axis=-1, keepdims=True), FLOOR))
    weights = weights / ops.sum(weights, axis=-1, keepdims=True)
    wanted = ops.log(palette + SMALLEST_SHARE)

    def fitted(_, offsets):
        scale = ops.exp(offsets)
        total = ops.matmul(shares, scale[..., None])[..., 0]
        mean = scale * ops.matmul((weights / total)[:, None, :], shares)[:, 0]
        offsets = offsets + wanted - ops.log(mean + SMALLEST_SHARE)
        # Only differences between classes matter; this keeps the exponentials in range.
        return offsets - ops.max(offsets, axis=-1, keepdims=True)

    return sharpening * ops.fori_loop(0, rounds, fitted, ops.zeros_like(wanted))


def mean_distribution(logits):
    """Return the mean class distribution over pixels, without a palette: ``[..., pixels, Q]``
    to ``[..., Q]``."""
    return ops.mean(ops.softmax(ops.cast(logits, "float32") / SHARPENING, axis=-1), axis=-2)
