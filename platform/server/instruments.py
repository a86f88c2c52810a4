"""What Prometheus reads at ``/metrics``."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client import generate_latest as text_of

# Upper ends of the histogram's steps, in seconds.
STEPS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)


class Instruments:
    """Counts and times requests; a server has one.

    Args:
        gauges: Functions that read what changes up and down, by name and what it is.
    """

    def __init__(self, gauges: dict[tuple[str, str], Callable[[], float]]):
        # They would double the number of lines.
        disable_created_metrics()
        self._registry = CollectorRegistry()
        # Memory, time of the processor, open files.
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "recolor_requests", "Requests.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "recolor_request_seconds",
            "From a request's head to the end of its answer.",
            ["path"],
            buckets=STEPS,
            registry=self._registry,
        )
        for (name, about), read in gauges.items():
            Gauge(f"recolor_{name}", about, registry=self._registry).set_function(read)

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            path: As it is declared, not as it was asked for: there are few of these.
            status: Of HTTP.
            seconds: How long it took.
        """
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return text_of(self._registry)
