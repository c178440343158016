"""Client credentials and introspection: who asks at once is answered at once, each for itself."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from issuer.domain.authorization import Origin
from issuer.domain.client import Client
from issuer.domain.outcomes import Minted, Refused, TargetRefused, TryLater
from issuer.domain.refresh_token import MacKeys
from issuer.store import cuts
from issuer.store.client_tokens import ClientTokenRequest
from issuer.store.coalescing import LARGEST_BATCH, LONGEST_WAIT_MS
from issuer.store.database_clock import STATEMENT_SECONDS
from issuer.store.families import Families, end_family
from issuer.usecases.introspect_token import access_token_is_live
from issuer.usecases.issue_for_client import issue_for_client
from messaging.level import forget_level
from revocast_contracts.selectors import Selector, SelectorKind
from servicekit.postgres import Pool, transaction
from tests.support.issuer import CLIENT, HASH_KEY, KEYS, RESOURCE, a_family
from tests.support.locks import until_somebody_waits


def asked(client_id: str = CLIENT.client_id) -> ClientTokenRequest:
    return ClientTokenRequest(
        client_id=client_id,
        subject_hash="a subject's hash",
        scope="orders.read",
        resource=RESOURCE,
        lifetime_s=600,
        jti_hash="a jti's hash",
        origin=Origin(),
        correlation_id="test",
    )


async def a_token(
    families: Families, client: Client = CLIENT
) -> Minted | Refused | TargetRefused | TryLater:
    return await issue_for_client(
        families,
        client,
        scope=frozenset({"orders.read"}),
        resource=RESOURCE,
        origin=Origin(),
        correlation_id="test",
    )


async def is_live(families: Families, token: Minted) -> bool:
    return await access_token_is_live(
        families,
        jti=token.jti,
        family=token.family,
        session=token.session,
        subject=token.subject,
        client_id=token.client_id,
        issued_at=token.issued_at.replace(microsecond=0),
    )


async def test_two_hundred_tokens_at_once_take_a_handful_of_commits(pool: Pool) -> None:
    """Each of them has its own event, in the order in which they were asked for."""
    commits: list[None] = []
    keys = MacKeys(KEYS, "k1")
    families = Families(pool, keys, hash_key=HASH_KEY, poke=lambda: commits.append(None))
    done = await asyncio.gather(*(a_token(families) for _ in range(200)))
    assert {type(token) for token in done} == {Minted}
    assert len(commits) == -(-200 // LARGEST_BATCH)
    times = [row["occurred_at"] for row in await pool.fetch("SELECT * FROM outbox ORDER BY id")]
    assert times == [token.issued_at for token in done if isinstance(token, Minted)]


async def test_a_client_that_is_cut_spoils_no_other_ones_token(
    families: Families, pool: Pool
) -> None:
    """Clients of one statement are decided each by its own cuts, and answered each its own."""
    clients = [replace(CLIENT, client_id=f"client-{number}") for number in range(9)]
    async with transaction(pool) as connection:
        selector = Selector(kind=SelectorKind.CLIENT, value="client-4")
        await cuts.cut(connection, kill_id="off", selector=selector, lasting=True)
    outcomes = await asyncio.gather(*(a_token(families, client) for client in clients))
    assert isinstance(outcomes[4], Refused)
    issued = [outcome.client_id for outcome in outcomes if isinstance(outcome, Minted)]
    assert issued == [client.client_id for client in clients if client != clients[4]]


async def test_each_token_of_a_statement_is_judged_by_what_killed_it(
    families: Families, pool: Pool
) -> None:
    """Of tokens that are introspected together, exactly the killed ones are dead."""
    tokens = [await a_family(families) for _ in range(6)]
    async with transaction(pool) as connection:
        assert tokens[0].family is not None
        await end_family(
            connection, tokens[0].family, cause="revoked", origin=Origin(), correlation_id="test"
        )
        for number, kind, value in (
            (1, SelectorKind.SESSION, str(tokens[1].session)),
            (2, SelectorKind.FAMILY, str(tokens[2].family)),
        ):
            selector = Selector(kind=kind, value=value)
            await cuts.cut(connection, kill_id=f"k{number}", selector=selector, lasting=False)
    assert await asyncio.gather(*(is_live(families, token) for token in tokens)) == [
        *(False, False, False),
        *(True, True, True),
    ]


async def test_a_kill_that_was_answered_is_seen_by_whoever_asks_afterwards(
    families: Families, pool: Pool
) -> None:
    """A question that comes while a statement is in flight is not answered from before it came."""
    token = await a_family(families)
    loop = asyncio.get_running_loop()
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE cut IN ACCESS EXCLUSIVE MODE")
        before = loop.create_task(is_live(families, token))
        await until_somebody_waits(pool)
        await blocker.execute(
            "INSERT INTO cut (kill_id, selector, applied_at, answered_at)"
            " SELECT 'k', 'issuer', now, now FROM clock_timestamp() AS now"
        )
        after = loop.create_task(is_live(families, token))
        await asyncio.sleep(0)
        assert not before.done()
    await before
    assert await after is False


async def test_one_question_that_cannot_be_sent_spoils_no_other(families: Families) -> None:
    """An error before the commit is tried again one by one: only its own caller hears of it."""
    questions = [asked(), asked("\0"), asked()]
    outcomes = await asyncio.gather(
        *map(families.client_tokens.ask, questions), return_exceptions=True
    )
    assert [getattr(outcome, "outcome", None) for outcome in outcomes] == ["issued", None, "issued"]
    assert isinstance(outcomes[1], asyncpg.PostgresError)


async def test_a_database_that_may_not_know_of_kills_answers_nobody(
    families: Families, pool: Pool
) -> None:
    """Neither a token nor an answer comes from it; each caller hears that it may ask again."""
    token = await a_family(families)
    async with pool.acquire() as connection:
        await forget_level(connection)
    outcomes = await asyncio.gather(
        *(is_live(families, token) for _ in range(3)),
        *(families.client_tokens.ask(asked()) for _ in range(3)),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {asyncpg.CannotConnectNowError}


async def test_who_waits_too_long_hears_so_and_who_gave_up_gets_no_token(
    families: Families, pool: Pool
) -> None:
    """While the database stands still, the flight is given up and the queue is refused."""
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT pg_advisory_xact_lock(issuing_lock())")
        calls = [asyncio.create_task(families.client_tokens.ask(asked()))]
        await until_somebody_waits(pool)
        calls += [asyncio.create_task(families.client_tokens.ask(asked())) for _ in range(3)]
        await asyncio.sleep(0)
        calls[3].cancel()
        async with asyncio.timeout(LONGEST_WAIT_MS / 1000 + STATEMENT_SECONDS + 2):
            outcomes = await asyncio.gather(*calls[:3], return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TimeoutError}
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0
    assert (await families.client_tokens.ask(asked())).decided_at <= datetime.now(UTC)


@pytest.mark.parametrize("count", [1, LARGEST_BATCH + 1])
async def test_everybody_is_answered_when_the_connection_is_gone(
    families: Families, pool: Pool, count: int
) -> None:
    """A server that ends our connections leaves no caller waiting, and the next one is served."""
    await families.client_tokens.ask(asked())
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT pg_advisory_xact_lock(issuing_lock())")
        calls = [asyncio.create_task(families.client_tokens.ask(asked())) for _ in range(count)]
        await until_somebody_waits(pool)
        await blocker.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND NOT granted"
        )
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(outcomes[0], asyncpg.PostgresError | asyncpg.InterfaceError | OSError)
    assert (await families.client_tokens.ask(asked())).outcome == "issued"
