"""docs/metrics.md is the list of all metrics: what services count is in it, and nothing else."""

import re
from pathlib import Path

from prometheus_client import REGISTRY

import messaging.metrics
import servicekit.metrics

LIST = Path(__file__).parents[3] / "docs/metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| [\w, ]*\| (.+) \|$", re.MULTILINE)
COUNTED_BY = (messaging.metrics, servicekit.metrics)


def test_every_metric_has_its_row_and_every_row_its_metric() -> None:
    """By name, kind and meaning."""
    counted = {
        (f"{one.name}_total" if one.type == "counter" else one.name, one.type, one.documentation)
        for one in REGISTRY.collect()
        if one.name.startswith("revocast_")
    }
    assert len(counted) > len(COUNTED_BY)
    assert set(ROW.findall(LIST.read_text())) == counted
