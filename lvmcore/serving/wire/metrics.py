"""What is counted, in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_CONTEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Metrics:
    """Requests, bytes, slices of the model, and the process; of one server, and not of the program."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter("lvm_requests", "Requests.", ["path", "status"], registry=registry)
        self._seconds = Histogram(
            "lvm_request_seconds",
            "From headers to the end of the answer.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._received = Counter("lvm_received_bytes", "Bytes of bodies.", registry=registry)
        self._sent = Counter("lvm_sent_bytes", "Bytes of answers.", registry=registry)
        self._contexts = Histogram(
            "lvm_slice_contexts", "Contexts that the model reads at a time.", buckets=_CONTEXTS, registry=registry
        )
        self._model = Counter("lvm_model_seconds", "Time that the model takes.", registry=registry)

    def exchange(self, path: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count one request.

        Args:
            path: one that the server knows, or a word for all others: what clients make up is no label.
        """
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        self._received.inc(received)
        self._sent.inc(sent)

    def slice(self, contexts: int, seconds: float) -> None:
        """Count one pass of the model."""
        self._contexts.observe(contexts)
        self._model.inc(seconds)

    def watch(self, name: str, help: str, now: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        Gauge(name, help, registry=self._registry).set_function(now)

    def response(self) -> Response:
        return Response(generate_latest(self._registry), 200, {"content-type": CONTENT_TYPE_LATEST})
