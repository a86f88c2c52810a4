"""The application of `recolor serve --compare`: which of two versions of a poster is better.

A judge is shown poster after poster in two versions, without being told which is which. Order and
sides are drawn by chance, for each judge anew, but are the same when the judge comes again.
"""

import hashlib
import io
import logging
import os
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from cachetools import LRUCache
from fastapi import Query, Request
from fastapi.responses import Response
from PIL import Image
from pydantic import BaseModel, ConfigDict

from recolor.datasets.errors import RecolorError
from recolor.datasets.images import read_file
from recolor.datasets.picture_file import QUALITY, PictureFile
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.platform.server.cancellation import check_cancelled
from recolor.platform.server.foundation import foundation
from recolor.platform.server.gate import Gate
from recolor.platform.server.instruments import Instruments
from recolor.platform.server.limits import Limits
from recolor.platform.server.page import add_page
from recolor.platform.server.reception import Reception
from recolor.platform.server.request_errors import RequestError
from recolor.platform.server.votes import CHOICES, LEFT, RIGHT, Tally, Votes, VotesError

log = logging.getLogger("recolor.server")
SOURCE = "source"
# Longest sides in pixels at most: of a version, and of the poster as it is.
VERSION_SIDE, SOURCE_SIDE = 1600, 600
NAME = re.compile(r"\w[\w .,'\u2019()-]{0,39}")
# Judges whose order is kept.
MOST_JUDGES = 64


@dataclass(frozen=True)
class Candidate:
    """A way to make a version of a poster.

    Attributes:
        name: As it was typed.
        painter: The model.
        decoding: Its settings.
    """

    name: str
    painter: Painter
    decoding: Decoding


@dataclass(frozen=True)
class Pair:
    """A poster as a judge is shown it.

    Attributes:
        poster: Its name.
        left, right: What made the versions there.
    """

    poster: str
    left: Candidate
    right: Candidate


class Judged(BaseModel):
    """Who judges."""

    model_config = ConfigDict(extra="forbid")
    judge: str


class Choice(Judged):
    """What a judge says of a pair."""

    pair: str
    choice: Literal[CHOICES]


class Comparison:
    """Shows two candidates' versions of posters to judges, and takes their votes.

    Everything here may be called from several threads.

    Args:
        candidates: The two.
        posters: Files by name.
        votes: Where votes are kept.
        limits: Of a poster's pixels, and of the memory for versions, which are kept as files.
    """

    def __init__(
        self,
        candidates: tuple[Candidate, Candidate],
        posters: Mapping[str, Path],
        votes: Votes,
        limits: Limits,
    ):
        self.candidates = candidates
        self._posters, self._votes, self._most_pixels = posters, votes, limits.pixels
        self._kept: LRUCache = LRUCache(limits.memory, getsizeof=len)
        self._lock = threading.Lock()
        # Posters that can't be used.
        self._left_out: set[str] = set()
        self._drawn = lru_cache(MOST_JUDGES)(self._draw)

    @property
    def count(self) -> int:
        """How many posters there are."""
        return len(self._posters)

    @property
    def bytes_kept(self) -> int:
        """How much memory is in use."""
        return self._kept.currsize

    def pairs(self, judge: str) -> dict[str, Pair]:
        """Draw a judge's pairs by chance, always the same: their order, their sides, and keys.

        Raises:
            RequestError: If there can't be such a judge.
        """
        return self._drawn(judge)

    def progress(self, judge: str) -> dict:
        """Say what comes next for a judge.

        Returns:
            JSON: the ``pair`` to judge, and the ``following`` one, both None if there is none;
            how many are ``done``, ``of`` how many.

        Raises:
            RequestError: As of `pairs`.
        """
        pairs = self.pairs(judge).items()
        usable = {key: pair for key, pair in pairs if pair.poster not in self._left_out}
        ahead = [key for key, pair in usable.items() if not self._has_voted(judge, pair)]
        pair, following, *_ = *ahead, None, None
        of = len(usable)
        return {"pair": pair, "following": following, "done": of - len(ahead), "of": of}

    def vote(self, judge: str, key: str, choice: str) -> dict:
        """Take a judge's vote on a pair, unless there is one already.

        Returns:
            As of `progress`.

        Raises:
            RequestError: If there is no such pair, or the vote can't be kept.
        """
        pair = self._pair(judge, key)
        try:
            self._votes.add(judge, pair.poster, pair.left.name, pair.right.name, choice)
        except VotesError as error:
            log.error("%s", error)
            raise RequestError(500, "the vote can't be kept: tell who runs this server") from None
        return self.progress(judge)

    def tally(self) -> Tally:
        """Count the votes so far, those of earlier times as well."""
        return Tally.of(self._votes, *(candidate.name for candidate in self.candidates))

    def picture(self, judge: str, key: str, which: str) -> bytes:
        """Return a picture of a pair: a JPEG file that tells nothing of how it was made.

        Args:
            judge: Who is shown it.
            key: Of the pair.
            which: ``source`` for the poster as it is, ``left`` or ``right``.

        Raises:
            RequestError: If there is no such pair, or the poster can't be used.
        """
        pair = self._pair(judge, key)
        candidate = {LEFT: pair.left, RIGHT: pair.right}.get(which)
        name = pair.poster, candidate and candidate.name
        with self._lock:
            kept = self._kept.get(name)
        if kept is None:
            try:
                kept = self._made(pair.poster, candidate)
            except RecolorError as error:
                if pair.poster not in self._left_out:
                    self._left_out.add(pair.poster)
                    log.warning("%r is left out: %s", pair.poster, error)
                raise RequestError(404, "this poster can't be used") from None
            with self._lock:
                self._kept[name] = kept
        return kept

    def _made(self, poster: str, candidate: Candidate | None) -> bytes:
        data = read_file(self._posters[poster])
        picture, side = PictureFile.of(data, self._most_pixels).picture, SOURCE_SIDE
        check_cancelled()
        if candidate:
            painter, decoding, side = candidate.painter, candidate.decoding, VERSION_SIDE
            seen = painter.see(picture, decoding, in_place=True)
            check_cancelled()
            palette = painter.palette(seen, decoding)
            check_cancelled()
            picture = painter.painted(seen, palette, decoding)
        check_cancelled()
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, "JPEG", **QUALITY["JPEG"])
        return file.getvalue()

    def _has_voted(self, judge: str, pair: Pair) -> bool:
        return self._votes.has(judge, pair.poster, pair.left.name, pair.right.name)

    def _pair(self, judge: str, key: str) -> Pair:
        try:
            return self.pairs(judge)[key]
        except KeyError:
            raise RequestError(404, "there is no such pair (any more)", "pair") from None

    def _draw(self, judge: str) -> dict[str, Pair]:
        if not NAME.fullmatch(judge):
            raise RequestError(
                422,
                "a name begins with a letter or a digit, and has 40 signs at most, without others "
                "than .,'()-",
                "judge",
            )
        drawn = {}
        for poster in self._posters:
            chance = hashlib.sha256(os.fsencode(f"{judge}\n{poster}")).digest()
            sides = self.candidates[:: 1 if chance[-1] % 2 else -1]
            drawn[chance[:8].hex()] = Pair(poster, *sides)
        return dict(sorted(drawn.items()))


def comparing_application(
    comparison: Comparison, limits: Limits, allowed_hosts: Iterable[str] = ()
) -> Reception:
    """Make the application of a comparison.

    Args:
        comparison: The comparison.
        limits: What is taken.
        allowed_hosts: As the names of `TrustedHosts`.
    """
    gate = Gate(limits)
    gauges = {
        ("requests_inside", "Requests that are let in and not answered yet."): lambda: gate.inside,
        ("kept_bytes", "Memory of versions that are kept."): lambda: comparison.bytes_kept,
    }
    instruments = Instruments(gauges)
    # One painter may make both.
    painters = {id(one.painter): one.painter for one in comparison.candidates}.values()
    app = foundation(painters, gate, instruments, allowed_hosts)

    add_page(app, "compare")

    @app.get("/pairs")
    def progress(judged: Annotated[Judged, Query()]) -> dict:
        """Tell which pair a judge is to judge next."""
        return comparison.progress(judged.judge)

    @app.get("/pairs/{key}/{which}", response_class=Response)
    async def picture(
        request: Request,
        key: str,
        which: Literal[SOURCE, LEFT, RIGHT],
        judged: Annotated[Judged, Query()],
    ) -> Response:
        """Return a picture of a pair."""
        data = await gate.work(request, comparison.picture, judged.judge, key, which)
        headers = {"Cache-Control": "no-store"}
        return Response(data, media_type="image/jpeg", headers=headers)

    @app.post("/votes")
    def vote(wanted: Annotated[Choice, Query()]) -> dict:
        """Take a vote, and tell which pair is next."""
        return comparison.vote(wanted.judge, wanted.pair, wanted.choice)

    return Reception(app, instruments)
