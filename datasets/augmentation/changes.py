"""Random changes of training posters: the functions that `catalog` names."""

import math

import numpy as np
from PIL import Image

# Of white, which is around a poster.
WHITE = (255, 128, 128)
SMALLEST_CROP = 0.6
LARGEST_LOG_GAMMA = 0.2
# Networks halve the sides up to five times.
MULTIPLE = 32


def mirror(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Mirror half of the posters."""
    if generator.uniform() < 0.5:
        return poster
    return {**poster, **{name: poster[name][:, ::-1] for name in ("lightness", "ab")}}


def to_lab_image(poster: dict[str, np.ndarray]) -> Image.Image:
    """Make an image of three bytes a pixel: L as stored, a + 128, b + 128."""
    color = (poster["ab"].astype(np.int16) + 128).astype(np.uint8)
    return Image.fromarray(np.concatenate([poster["lightness"], color], axis=-1))


def with_lab_image(poster: dict[str, np.ndarray], image: Image.Image) -> dict[str, np.ndarray]:
    """Return the poster with the lightness and color of an image as of `to_lab_image`."""
    lab = np.asarray(image)
    color = (lab[..., 1:].astype(np.int16) - 128).astype(np.int8)
    return {**poster, "lightness": lab[..., :1], "ab": color}


def crop(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Take a part of at least `SMALLEST_CROP` of the sides, and scale it to the whole."""
    image = to_lab_image(poster)
    part = generator.uniform(SMALLEST_CROP, 1)
    width, height = (side * part for side in image.size)
    left, top = (
        side * (1 - part) * place
        for side, place in zip(image.size, generator.uniform(size=2), strict=True)
    )
    box = (left, top, left + width, top + height)
    image = image.resize(image.size, Image.Resampling.BILINEAR, box)
    return with_lab_image(poster, image)


def full(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Mirror half of the posters, turn by up to 5 degrees, zoom by up to 10 %; white around.

    In one step, since each resampling blurs the picture.
    """
    mirror, turn, zoom = generator.uniform(-1, 1, 3)
    angle = turn * (math.pi / 36)
    scale = 1 + zoom * 0.1
    flip = -1 if mirror < 0 else 1
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    # Output (x, y) comes from input (a x + b y + c, d x + e y + f), turned about the center.
    center = len(poster["ab"]) / 2
    a, b, d, e = flip * cos, -flip * sin, sin, cos
    c, f = center - (a + b) * center, center - (d + e) * center
    turned = to_lab_image(poster).transform(
        poster["ab"].shape[1::-1],
        Image.Transform.AFFINE,
        (a, b, c, d, e, f),
        Image.Resampling.BILINEAR,
        fillcolor=WHITE,
    )
    return with_lab_image(poster, turned)


def gamma(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Raise the lightness to a power between 0.82 and 1.22.

    That leaves black black and white white, so padding stays as it is. Colors are not bent with the
    lightness: what is learned is that they depend on its structure more than on its level.
    """
    power = math.exp(generator.uniform(-LARGEST_LOG_GAMMA, LARGEST_LOG_GAMMA))
    bent = np.round(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return {**poster, "lightness": bent[poster["lightness"]]}


def portrait(
    poster: dict[str, np.ndarray], generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Cut the square to a rectangle for portraits: 64x96, 96x128 or 192x256 pixels, for example.

    A third of a portrait's square is padding, from which nothing is learned. Of wider posters a
    part is taken.
    """
    side = len(poster["ab"])
    width = side * 3 // 4 // MULTIPLE * MULTIPLE or side
    left, extent = poster["box"][1], poster["box"][3]
    # Somewhere within the poster, or around it where it is narrower.
    first, last = sorted((left, left + extent - width))
    start = min(max(0, generator.integers(first, last + 1)), side - width)
    return {
        **poster,
        **{name: poster[name][:, start : start + width] for name in ("lightness", "ab")},
    }
