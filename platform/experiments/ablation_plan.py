"""What an ablation compares: variants of a training, read from a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from recolor.datasets.errors import RecolorError, reason_of
from recolor.datasets.object_storage import RemotePath, is_remote
from recolor.evaluation.told import NOTHING, Told
from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.platform.training.settings import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The tables of the file.
JUDGED, ALL, VARIANTS = "judged", "all", "variants"
# What variants have beside the options of a training.
DATA, SEEDS = "data", "seeds"


class AblationError(RecolorError):
    """The file of an ablation can't be used."""


@dataclass(frozen=True)
class Variant:
    """One training.

    Attributes:
        name: What the variant is called; those that differ in their seeds share it.
        data: Folders of the data sets that it learns from, local or in object storage, as for
            `load_data`.
        settings: How it is trained.
    """

    name: str
    data: tuple[Path, ...]
    settings: Settings

    def __str__(self) -> str:
        """Name it with its seed."""
        return f"{self.name}, seed {self.settings.seed}"


@dataclass(frozen=True)
class AblationPlan:
    """An ablation.

    Attributes:
        name: The file's name without its ending.
        variants: The trainings, in the file's order.
        told: What the networks are told of each validation poster, see `Told.parse`.
        posters: How many validation posters of the first data set they are judged by; None for all.
        kernel_distance: Whether to compute it as well, which takes time.
        decoding: How answers become colors.
    """

    name: str
    variants: tuple[Variant, ...]
    told: tuple[str, ...] = (NOTHING,)
    posters: int | None = None
    kernel_distance: bool = False
    decoding: Decoding = DEFAULT_DECODING

    @classmethod
    def read(cls, file: Path) -> AblationPlan:
        """Read a file.

        The table ``[all]`` has the options of `recolor train` that all variants share, with
        ``data``, a list of folders, and ``seeds``, a list of numbers. ``[variants]`` has for each
        variant those that differ. ``[judged]`` may have ``told``, ``posters``, ``temperature`` and
        ``kernel_distance``.

        Raises:
            AblationError: If the file can't be read or understood; the message says where.
        """
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            return cls._of(file.stem, content)
        except OSError as error:
            raise AblationError(f"{file} can't be read: {reason_of(error)}") from None
        except UnicodeDecodeError:
            raise AblationError(f"{file} is not UTF-8 text") from None
        except (tomllib.TOMLDecodeError, RecolorError) as error:
            raise AblationError(f"{file}: {error}") from None

    @classmethod
    def _of(cls, name: str, content: Mapping) -> AblationPlan:
        _check_names(content, (JUDGED, ALL, VARIANTS), "the file")
        for table in content:
            _check_is(content[table], Mapping, f"[{table}]", "a table")
        shared, variants = content.get(ALL, {}), content.get(VARIANTS, {})
        if not variants:
            raise AblationError("there are no [variants]")
        found = []
        for title, different in variants.items():
            _check_is(different, Mapping, title, "a table of options")
            found += _with_every_seed(title, {**shared, **different})
        return cls(name, tuple(found), **_judged(content.get(JUDGED, {})))


def _with_every_seed(name: str, options: dict) -> list[Variant]:
    known = {option.name for option in fields(Settings)} - {"seed"}
    _check_names(options, (DATA, SEEDS, *sorted(known)), name)
    if "model" not in options:
        raise AblationError(f"{name}: set `model`")
    data, seeds = options.pop(DATA, ["data"]), options.pop(SEEDS, [0])
    _check_are(data, str, f"{name}: {DATA}", "folders")
    _check_are(seeds, int, f"{name}: {SEEDS}", "numbers")
    if len(set(seeds)) < len(seeds):
        raise AblationError(f"{name}: {SEEDS} has a number twice")
    places = tuple(RemotePath(place) if is_remote(place) else Path(place) for place in data)
    try:
        return [Variant(name, places, Settings(**options, seed=seed)) for seed in seeds]
    except RecolorError as error:
        raise AblationError(f"{name}: {error}") from None


def _judged(options: Mapping) -> dict:
    _check_names(options, ("told", "posters", "temperature", "kernel_distance"), f"[{JUDGED}]")
    found = dict(options)
    if "told" in found:
        _check_are(found["told"], str, f"[{JUDGED}]: told", "texts")
        for text in found["told"]:
            Told.parse(text)
        found["told"] = tuple(found["told"])
    if "posters" in found:
        _check_is(found["posters"], int, f"[{JUDGED}]: posters", "a number")
        if found["posters"] < 1:
            raise AblationError(f"[{JUDGED}]: posters must be at least 1")
    if "kernel_distance" in found:
        _check_is(found["kernel_distance"], bool, f"[{JUDGED}]: kernel_distance", "true or false")
    decoding = Decoding(temperature=found.pop("temperature", None))
    return {**found, "decoding": decoding}


def _check_names(table: Mapping, known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise AblationError(f"{where}: {name} is not one of {', '.join(known)}")


def _check_is(value, kind, where: str, what: str) -> None:
    # In Python true is a number, too.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise AblationError(f"{where} must be {what}, not {value!r}")


def _check_are(values, kind, where: str, what: str) -> None:
    _check_is(values, list, where, f"a list of {what}")
    if not values:
        raise AblationError(f"{where} is empty")
    for value in values:
        _check_is(value, kind, where, f"a list of {what}")
