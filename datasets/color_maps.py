"""Random smooth maps of the ab plane: other colors that keep what belongs together.

A poster under such a map shows which of its pixels have one color, but no longer which color that
was. A color c = (a, b) is folded, bent, stretched and turned, one after the other:

    fold:     c -> c + (sqrt(t^2 + s^2) - s - t) u        t = u . c, |u| = 1, s = 5
    bend:     c -> c + sum_k g_k (sin(w_k . c + p_k) - sin p_k)        k = 1, 2, 3
    stretch:  c -> V diag(d_1, d_2) V^T c        V: orthonormal axes
    turn:     c -> R c

A fold lays one half of the plane on the other, with a crease of width s: two colors come out as
one. Bends are waves of 100 to 200 units; their gradients add up to at most 0.6, so they fold
nothing. Every step keeps the neutral where it is, since a print's paper and blacks are neutral
under any scheme, and nothing but the neutral becomes quite neutral. No two colors get more than
2.08 times as far apart as they were (1.6 by the bends, 1.3 by the stretch).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recolor.datasets.color import round_ab
from recolor.datasets.gamut import in_gamut

# Which share of the maps folds, and how wide a crease is in the ab plane.
FOLDED, CREASE = 0.5, 5.0
WAVES, WAVELENGTHS = 3, (100.0, 200.0)
# The gradients of all waves together, and how far the axes are stretched.
LARGEST_BEND, STRETCHES = 0.6, (0.5, 1.3)
# No map moves two colors further apart than by this factor.
LIPSCHITZ = (1 + LARGEST_BEND) * STRETCHES[1]


@dataclass(frozen=True)
class ColorMap:
    """A smooth map of the ab plane into itself, see above.

    Attributes:
        fold: The direction u that is folded over, ``[2]``; zeros for no fold.
        frequencies: w_k of each wave, in radians a unit of ab, ``[k, 2]``.
        phases: p_k, ``[k]``.
        amplitudes: g_k in units of ab, ``[k, 2]``.
        linear: Stretch and turn together, ``[2, 2]``.
    """

    fold: np.ndarray
    frequencies: np.ndarray
    phases: np.ndarray
    amplitudes: np.ndarray
    linear: np.ndarray

    @classmethod
    def identity(cls) -> ColorMap:
        """Return the map that leaves all colors as they are."""
        return cls(np.zeros(2), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)), np.eye(2))

    @classmethod
    def drawn(cls, generator: np.random.Generator, folded: float = FOLDED) -> ColorMap:
        """Draw one at random: it turns by any angle, and a share of the maps, 0 to 1, folds."""
        fold = _direction(generator) * (generator.random() < folded)
        wavelengths = generator.uniform(*WAVELENGTHS, WAVES)[:, None]
        steepness = generator.uniform(0, LARGEST_BEND / WAVES, WAVES)[:, None]
        axes = _turn(generator.uniform(0, np.pi))
        stretch = axes @ np.diag(generator.uniform(*STRETCHES, 2)) @ axes.T
        return cls(
            fold=fold,
            frequencies=2 * np.pi / wavelengths * _direction(generator, WAVES),
            phases=generator.uniform(0, 2 * np.pi, WAVES),
            amplitudes=steepness * wavelengths / (2 * np.pi) * _direction(generator, WAVES),
            linear=_turn(generator.uniform(0, 2 * np.pi)) @ stretch,
        )

    def __call__(self, ab: np.ndarray) -> np.ndarray:
        """Map colors of any real type, ``[..., 2]``: ``float32 [..., 2]``, whatever sRGB has."""
        ab = np.asarray(ab, np.float64)
        if self.fold.any():
            along = ab @ self.fold
            folded = np.sqrt(along**2 + CREASE**2) - CREASE
            ab = ab + (folded - along)[..., None] * self.fold
        waves = np.sin(ab @ self.frequencies.T + self.phases) - np.sin(self.phases)
        return ((ab + waves @ self.amplitudes) @ self.linear.T).astype(np.float32)

    def applied(self, lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
        """Map a picture's colors to such that sRGB has, by taking chroma where needed.

        Args:
            lightness: Stored L, ``uint8 [h, w]``; it stays as it is.
            ab: Its colors, ``int8 [h, w, 2]``.

        Returns:
            The new colors, ``int8 [h, w, 2]``.
        """
        mapped = self(ab)
        stays = (round_ab(mapped) == ab).all(axis=-1, keepdims=True)
        return np.where(stays, ab, round_ab(in_gamut(lightness, mapped)))


def _direction(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw unit vectors, ``[..., 2]``."""
    angle = generator.uniform(0, 2 * np.pi, shape)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
