import json
from typing import Any

import pytest

from audit.api.views import answer, whole_record_view
from audit.domain.search import Search
from audit.usecases.search_records import search_records
from servicekit.postgres import Pool
from tests.support.audit import Story, as_received, indexes, record

SQL = "'; DROP TABLE record; --"
HTML = "<script>alert(1)</script>\u2028"


def _hostile(text: str, **changed: Any) -> bytes:
    """An event of an unknown type with a text wherever one can stand."""
    members = json.loads(Story().started().raw)
    members |= {"type": f"revocast.{text}", "correlationid": text, "subject": text}
    members |= {"source": text, "partitionkey": text}
    names = ("family", "session", "sub", "client_id", "selector")
    members["data"] = dict.fromkeys(names, text) | {text: text}
    return json.dumps({**members, **changed}).encode()


@pytest.mark.parametrize(
    "text",
    [SQL, HTML, "nul\0nul", "\0", "x" * 100_000, "é" * 3000, "\U0001f600" * 700, "\\", "%s{0}$1"],
    ids=["sql", "html", "nul", "only nul", "long", "long é", "emoji", "backslash", "formats"],
)
async def test_hostile_text_is_stored_and_shown_inert(pool: Pool, text: str) -> None:
    """Whatever stands in an event, its bytes are recorded, and it is found and shown as ASCII."""
    raw = _hostile(text)
    await record(pool, as_received(raw), Story().started())
    assert await indexes(pool) == [0, 1]
    page = await search_records(pool, Search(limit=500))
    hostile = page.records[-1]
    assert hostile.event == raw
    found = await search_records(pool, Search(family=hostile.family, client=hostile.client))
    assert [one.index for one in found.records] == [0]
    body = bytes(answer(whole_record_view(hostile)).body)
    assert body.isascii()
    assert json.loads(body)["event"] == json.loads(raw)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"a":NaN,"b":-Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a":1e999}', {"a": "1e999"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":' + b"9" * 4000 + b"}", {"a": int("9" * 4000)}),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", None),
    ],
    ids=["no number", "too large", "twice", "many digits", "deep"],
)
async def test_json_that_json_does_not_have_is_shown_as_json(
    pool: Pool, data: bytes, shown: Any
) -> None:
    """Odd JSON that our reader accepts is recorded and shown without an error."""
    raw = _hostile("odd").rsplit(b', "data"', 1)[0] + b', "data": ' + data + b"}"
    await record(pool, as_received(raw))
    page = await search_records(pool, Search())
    body = bytes(answer(whole_record_view(page.records[0])).body)
    assert page.records[0].event == raw
    assert shown is None or json.loads(body)["event"]["data"] == shown


@pytest.mark.parametrize(
    "changed",
    [
        {"seq": 2**63 - 1},
        {"epoch": 2**31 - 1},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
        {"time": "2500-01-01T00:00:00Z"},
        {"data": {}},
        {"data": {"family": 7, "sub": ["x"], "session": {}, "client_id": None, "selector": [1]}},
    ],
    ids=["seq", "epoch", "first day", "last day", "far", "nothing", "other types"],
)
async def test_values_out_of_range_stop_nothing(pool: Pool, changed: dict[str, Any]) -> None:
    """The largest numbers are stored, times beyond a column's are clamped; the bytes stay exact."""
    raw = _hostile("odd", **changed)
    await record(pool, as_received(raw))
    await record(pool, as_received(raw), Story().started())
    assert await indexes(pool) == [0, 1]
    page = await search_records(pool, Search())
    assert page.records[-1].event == raw
