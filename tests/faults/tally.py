"""How often each fault was tried, and how often all held."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SEED = os.environ.get("RECOLOR_FAULTS_SEED", "0")
PROPERTY = "faults"


@dataclass
class Tally:
    """The tries of one fault.

    Attributes:
        fault: What was tried.
        tried: How often.
        lost: What did not hold.
    """

    fault: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """Count a try; what an assertion in it says is kept for the end.

        Args:
            what: What tells this try from the others.
        """
        self.tried += 1
        try:
            yield
        except AssertionError as error:
            self.lost.append(f"{what}: {error}")

    def rng(self, number: int) -> random.Random:
        """Return the source of chance of a try: the seed, the fault and the number decide."""
        return random.Random(f"{SEED}, {self.fault}, {number}")

    def number(self) -> int:
        """Return a seed of this fault's own."""
        return self.rng(0).getrandbits(32)


@contextmanager
def tally(request, fault: str) -> Iterator[Tally]:
    """Count the tries of a fault for the table; fail in the end if any did not hold."""
    counted = Tally(fault)
    yield counted
    held = counted.tried - len(counted.lost)
    request.node.user_properties.append((PROPERTY, [fault, counted.tried, held]))
    headline = f"{fault}: {counted.tried - held} of {counted.tried} did not hold, seed {SEED}"
    assert not counted.lost, "\n\n".join([headline, *counted.lost])
