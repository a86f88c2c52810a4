"""Catalogs: things of one sort by name, each imported when it is first asked for.

Asking a catalog for its names imports nothing, so the command line's `--help` answers at once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import TypeVar

Thing = TypeVar("Thing")


class Catalog(Mapping[str, Thing]):
    """Things by name.

    Args:
        places: Where the things are found, as ``package.module:attribute``, by name.

    Example:
        >>> numbers = Catalog({"pi": "math:pi"})
        >>> numbers.register("e", 2.718)
        >>> list(numbers), numbers["e"], round(numbers["pi"], 3)
        (['pi', 'e'], 2.718, 3.142)
    """

    def __init__(self, places: Mapping[str, str]):
        self._places = dict(places)
        self._things: dict[str, Thing] = {}

    def register(self, name: str, thing: Thing) -> None:
        """Add a thing, or put it in the place of another one.

        Args:
            name: Its name, as users type it.
            thing: The thing itself.
        """
        self._places[name] = ""
        self._things[name] = thing

    def unregister(self, name: str) -> None:
        """Take a thing out.

        Raises:
            KeyError: If the name is unknown.
        """
        del self._places[name]
        self._things.pop(name, None)

    def __getitem__(self, name: str) -> Thing:
        if name not in self._things:
            module, _, attribute = self._places[name].partition(":")
            self._things[name] = getattr(import_module(module), attribute)
        return self._things[name]

    def get(self, name: str, default: Thing | None = None) -> Thing | None:
        """Return a thing, or the default if the name is unknown.

        Raises:
            KeyError: If importing the thing raises one; `Mapping.get` would return the default.
        """
        return self[name] if name in self else default  # noqa: SIM401 - this is `get`

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """Return a question that suggests similar names; an empty text if no name is similar.

    Example:
        >>> did_you_mean("oragne", ["orange", "teal"])
        " (did you mean 'orange'?)"
    """
    near = get_close_matches(wrong.strip().lower(), names)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def names_near(names: Collection[str], wrong: str) -> list[str]:
    """Return the names that a wrong one may stand for: all, where a catalog does not know better.

    A catalog that holds more than it lists has a method ``near``.
    """
    return names.near(wrong) if hasattr(names, "near") else list(names)
