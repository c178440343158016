from collections.abc import AsyncIterator
from typing import Any

import pytest

from revocast_contracts.lifecycle import EndCause
from servicekit.postgres import Pool
from tests.support.revocation import Facts, handle
from tests.support.revocation_api import Api, running_api


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[Api]:
    async with running_api(pool) as api:
        yield api


async def pages(api: Api, **query: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        answer = await api.get(**query, **({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["entries"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_pages_show_each_entry_once(pool: Pool, api: Api) -> None:
    """Paging by key gives every entry in force, none twice, in pages of the size asked for."""
    families = [Facts() for _ in range(7)]
    await handle(pool, *(facts.stale(1, 2) for facts in families))
    found = await pages(api, limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    values = [entry["selector"]["value"] for page in found for entry in page]
    assert sorted(values) == sorted(facts.family for facts in families)


async def test_expired_entries_are_not_shown(pool: Pool, api: Api) -> None:
    """What kills nothing any more is left out, even before upkeep deletes it."""
    await handle(pool, Facts().stale(1, 2))
    await pool.execute("UPDATE entry SET expires_at = clock_timestamp() - interval '1 second'")
    assert await pages(api) == [[]]


async def test_entries_are_found_by_kind_and_value(pool: Pool, api: Api) -> None:
    """A filter matches what is published, and a subject by its own name."""
    facts = Facts()
    await handle(pool, facts.stale(1, 2), Facts().ended(EndCause.LOGOUT))
    await api.post({"selector": {"subject": "somebody"}, "reason": "r"})
    assert [len(page) for page in await pages(api)] == [3]
    (family,) = (await pages(api, kind="family"))[0]
    assert family["selector"]["value"] == facts.family
    (found,) = (await pages(api, value=facts.family))[0]
    assert found == family
    (subject,) = (await pages(api, kind="subject", value="somebody"))[0]
    assert subject["selector"]["value"] != "somebody"
    assert (await pages(api, kind="session", value=facts.family)) == [[]]


async def test_every_page_is_followed_from_the_first_pages_position(pool: Pool, api: Api) -> None:
    """The position stays that of the first page, so that nothing between pages is missed."""
    await handle(pool, *(Facts().stale(1, 2) for _ in range(3)))
    first = (await api.get(limit=1)).json()
    second = (await api.get(limit=1, cursor=first["next_cursor"])).json()
    assert set(first["position"]) == {"epoch", "seq", "offset"}
    assert second["position"] == first["position"]


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "W10="},
        {"cursor": "WyJcdTAwMDAiLCAxLCAxXQ=="},
        {"cursor": "é"},
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"kind": "planet"},
        {"value": "a\x00b"},
        {"value": "a" * 513},
    ],
    ids=str,
)
async def test_bad_queries_are_problems(api: Api, query: dict[str, Any]) -> None:
    """A cursor that is not ours, a limit out of bounds, an unknown kind: 4xx, never 5xx."""
    answer = await api.get(**query)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
