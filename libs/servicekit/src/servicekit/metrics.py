"""Every metric of the services, by name: kind, labels, and what it means to an operator."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeVar

from prometheus_client import Counter, Gauge, Histogram

Name = Literal[
    "revocast_http_requests_total",
    "revocast_http_request_seconds",
    "revocast_tokens_issued_total",
    "revocast_tokens_refused_total",
    "revocast_sign_ins_total",
    "revocast_revocations_total",
    "revocast_records_total",
    "revocast_background_restarts_total",
    "revocast_ready",
]


@dataclass(frozen=True, slots=True)
class _Metric:
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = field(
        default=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
    )


METRICS: dict[Name, _Metric] = {
    "revocast_http_requests_total": _Metric(
        "counter",
        "Requests by route and status class; 5xx should stay at zero.",
        ("route", "status"),
    ),
    "revocast_http_request_seconds": _Metric(
        "histogram", "Seconds from a request to its answer.", ("route",)
    ),
    "revocast_tokens_issued_total": _Metric("counter", "Access tokens by grant.", ("grant",)),
    "revocast_tokens_refused_total": _Metric(
        "counter", "Refused token requests by OAuth error code.", ("error",)
    ),
    "revocast_sign_ins_total": _Metric(
        "counter",
        "Tries by outcome (succeeded, wrong, limited, busy); many wrong ones are guesses.",
        ("outcome",),
    ),
    "revocast_revocations_total": _Metric("counter", "Entries published, by cause.", ("cause",)),
    "revocast_records_total": _Metric(
        "counter", "Events recorded by the audit service.", ("topic",)
    ),
    "revocast_background_restarts_total": _Metric(
        "counter", "Restarts of a background task; a rising one needs a look at the log.", ("task",)
    ),
    "revocast_ready": _Metric("gauge", "1 when the check passes, by check.", ("check",)),
}

Kind = TypeVar("Kind", Counter, Gauge, Histogram)

_counters = {n: Counter(n, m.meaning, m.labels) for n, m in METRICS.items() if m.kind == "counter"}
_gauges = {n: Gauge(n, m.meaning, m.labels) for n, m in METRICS.items() if m.kind == "gauge"}
_histograms = {
    n: Histogram(n, m.meaning, m.labels, buckets=m.buckets)
    for n, m in METRICS.items()
    if m.kind == "histogram"
}


def increment(name: Name, amount: float = 1, **labels: str) -> None:
    """Count something."""
    _labelled(_counters[name], tuple(labels.items())).inc(amount)


def set_gauge(name: Name, value: float, **labels: str) -> None:
    """Say how something stands."""
    _labelled(_gauges[name], tuple(labels.items())).set(value)


def observe(name: Name, value: float, **labels: str) -> None:
    """Note how long, or how much, something was."""
    _labelled(_histograms[name], tuple(labels.items())).observe(value)


@lru_cache(maxsize=1024)
def _labelled(metric: Kind, labels: tuple[tuple[str, str], ...]) -> Kind:
    """Finding it by its labels each time would cost more than counting."""
    return metric.labels(**dict(labels)) if labels else metric
