"""What is unknown or came twice is refused by its name: nobody guesses what was meant."""

from collections.abc import AsyncIterator

import httpx
import pytest

from servicekit.postgres import Pool
from tests.support.revocation_api import Api, running_api

SECRET = "never to be repeated"


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[Api]:
    async with running_api(pool) as api:
        yield api


def assert_names(answer: httpx.Response, parameter: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("kind=family&kind=subject", "kind"),
        ("value=a&value=b", "value"),
        ("value=a&value=", "value"),
        ("limit=1&limit=2", "limit"),
        ("cursor=a&cursor=a", "cursor"),
        ("valeu=a", "valeu"),
        ("Kind=family", "Kind"),
        ("family=a", "family"),
        ("a&" * 20_000, "a"),
        ("value&" * 10_000, "value"),
    ],
    ids=lambda each: str(each)[:30],
)
async def test_a_listing_knows_all_its_filters(api: Api, query: str, parameter: str) -> None:
    """An unknown or doubled filter is a problem that names it, not a listing of something else."""
    answer = await api.client.get(f"/revocations?{query}", headers=api.authorization())
    assert_names(answer, parameter)


async def test_one_revocation_has_no_filters(api: Api) -> None:
    """Looking one up takes no parameter at all."""
    assert_names(await api.get("/revocations/x", kind="family"), "kind")


@pytest.mark.parametrize(("query", "parameter"), [("wait=0&wait=9", "wait"), ("wiat=0", "wiat")])
async def test_a_kill_knows_all_its_parameters(
    pool: Pool, api: Api, query: str, parameter: str
) -> None:
    """A wait that came twice or is misspelt decides nothing."""
    body = {"selector": {"subject": "a"}, "reason": "r"}
    answer = await api.client.post(f"/revocations?{query}", json=body, headers=api.authorization())
    assert_names(answer, parameter)
    assert await pool.fetchval("SELECT count(*) FROM kill") == 0


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ('{"selector": {"subject": "a"}, "reason": "r", "reason": "%s"}', "reason"),
        (
            '{"selector": {"subject": "%s"}, "selector": {"subject": "b"}, "reason": "r"}',
            "selector",
        ),
        ('{"selector": {"subject": "%s", "subject": "b"}, "reason": "r"}', "subject"),
        ('{"selector": {"subject": "a", "s\\u0075bject": "%s"}, "reason": "r"}', "subject"),
        ('{"reason": [[["%s"]]], "selector": {"subject": "a"}, "reason": "r"}', "reason"),
    ],
)
async def test_a_repeated_member_is_refused(pool: Pool, api: Api, body: str, member: str) -> None:
    """422 names the member that came twice, however it is spelt; nothing was decided."""
    headers = api.authorization() | {"Content-Type": "application/json"}
    content = body % SECRET
    answer = await api.client.post("/revocations?wait=0", content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [{"where": member, "why": "came more than once"}]
    assert SECRET not in answer.text
    assert await pool.fetchval("SELECT count(*) FROM kill") == 0
