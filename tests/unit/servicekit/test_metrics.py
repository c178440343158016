import ast
import re
from pathlib import Path
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from messaging import metrics as messaging_metrics
from servicekit import metrics
from servicekit.request_metrics import RequestMetrics

CHECKOUT = Path(__file__).parents[3]
LISTED = (Counter, Gauge, Histogram)


def test_every_name_is_described() -> None:
    """The typed names and the table are one list; counters end in _total (Prometheus' custom)."""
    assert set(get_args(metrics.Name)) == set(metrics.METRICS)
    for name, metric in metrics.METRICS.items():
        assert re.fullmatch(r"revocast_[a-z_]+", name)
        assert (metric.kind == "counter") == name.endswith("_total")
        assert metric.meaning.endswith(".") or metric.meaning.endswith("check.")


def test_every_metric_is_used_and_every_used_one_is_described() -> None:
    """A listed name that nothing counts, or a counted one that is not listed, is a lie."""
    used: set[str] = set()
    for file in [*CHECKOUT.glob("services/*/src/**/*.py"), *CHECKOUT.glob("libs/*/src/**/*.py")]:
        for call in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in {"increment", "observe", "set_gauge"}
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id == "metrics"
            ):
                assert isinstance(call.args[0], ast.Constant), f"{file}:{call.lineno}"
                used.add(str(call.args[0].value))
    assert used == set(metrics.METRICS)


def test_every_metric_of_messaging_is_used() -> None:
    """Its list and what its modules count are the same names."""
    listed = {name for name, each in vars(messaging_metrics).items() if isinstance(each, LISTED)}
    used: set[str] = set()
    for file in CHECKOUT.glob("libs/messaging/src/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "metrics"
            ):
                used.add(node.attr)
    assert used == listed


async def test_requests_are_counted_by_route() -> None:
    """A route's template is the label; a path that nobody serves is the caller's and is not."""
    app = FastAPI()

    @app.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    transport = httpx.ASGITransport(app=RequestMetrics(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        before = counted("/things/{thing}", "2xx"), counted("unmatched", "4xx")
        await http.get("/things/one")
        await http.get("/things/two")
        await http.get("/secret")
    after = counted("/things/{thing}", "2xx"), counted("unmatched", "4xx")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
    assert counted("/secret", "4xx") == 0


async def test_what_breaks_is_counted_as_5xx() -> None:
    """An exception that nobody answered is a 5xx."""

    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("broken")

    transport = httpx.ASGITransport(app=RequestMetrics(broken))
    before = counted("unmatched", "5xx")
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        with pytest.raises(RuntimeError, match="broken"):
            await http.get("/")
    assert counted("unmatched", "5xx") - before == 1


def counted(route: str, status: str) -> float:
    labels = {"route": route, "status": status}
    return REGISTRY.get_sample_value("revocast_http_requests_total", labels) or 0.0
