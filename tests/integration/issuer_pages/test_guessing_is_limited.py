import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from issuer.domain.guessing import RULES, Against
from issuer.usecases.forget_expired import forget_expired
from issuer.usecases.passwords import BusyError, Passwords
from servicekit.postgres import Pool
from tests.support.issuer_pages import (
    PASSWORD,
    USERNAME,
    Issuer,
    Visitor,
    add_account,
    issuer_on,
    told,
)

FREE = RULES[Against.ACCOUNT_AND_NETWORK].free


@pytest.fixture
async def replica(pool: Pool) -> AsyncIterator[Issuer]:
    async with issuer_on(pool) as replica:
        yield replica


async def pauses_end(pool: Pool) -> None:
    """Let the pauses be over, as if the person had waited."""
    await pool.execute("UPDATE guess SET blocked_until = clock_timestamp()")


async def guess(visitor: Visitor, username: str = USERNAME, *, times: int = 1) -> list[int]:
    """Guess wrong some times; the answers' status codes."""
    return [
        (await visitor.sign_in(username, f"guess number {n}")).status_code for n in range(times)
    ]


async def test_a_wrong_password_is_refused_without_a_word_why(
    issuer: Issuer, alice: Visitor
) -> None:
    """The page says that the two do not match, keeps the name and drops the password."""
    assert await guess(alice) == [403]
    assert "do not match" in alice.page.text
    assert alice.page.fields["username"] == USERNAME
    assert alice.page.fields["password"] == ""
    (failed,) = await told(issuer.pool, "login.failed")
    assert (failed["reason"], failed["client_id"]) == ("credentials", "web")


async def test_sign_ins_are_counted_by_outcome(issuer: Issuer, alice: Visitor) -> None:
    """The right password, a wrong one, and one that is not looked at any more, each by its name."""
    before = {outcome: counted(outcome) for outcome in ("succeeded", "wrong", "limited")}
    await alice.sign_in()
    async with issuer.visitor() as stranger:
        await guess(stranger, times=FREE + 2)
    after = {outcome: counted(outcome) - count for outcome, count in before.items()}
    assert after == {"succeeded": 1, "wrong": FREE + 1, "limited": 1}


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("revocast_sign_ins_total", {"outcome": outcome}) or 0.0


async def test_unknown_users_are_indistinguishable(issuer: Issuer, alice: Visitor) -> None:
    """Unknown, wrong, impossible and disabled: the same page for the same number of hashes."""
    await add_account(issuer, "gone")
    await issuer.pool.execute("UPDATE account SET disabled = true WHERE username = 'gone'")
    pages: set[str] = set()
    for username, password in (
        (USERNAME, "a wrong guess"),
        ("nobody", "a wrong guess"),
        ("no possible name", "a wrong guess"),
        ("gone", PASSWORD),
        (USERNAME, ""),
        (USERNAME, "x" * 2000),
    ):
        await issuer.pool.execute("DELETE FROM guess")
        computed = issuer.people.passwords.computed
        response = await alice.sign_in(username, password)
        assert issuer.people.passwords.computed == computed + 1
        text = response.text.replace(alice.page.fields["request"], "").replace(username, "")
        pages.add(f"{response.status_code} {text}")
    assert len(pages) == 1


async def test_unknown_users_take_as_long_after_a_change_of_parameters(
    issuer: Issuer, alice: Visitor
) -> None:
    """Where accounts have hashes of other parameters than today's, so have names without one."""
    heavy = Passwords(passes=4, memory_kib=16 * 1024, lanes=1)
    stored = await heavy.hash(PASSWORD)
    heavy.close()
    await issuer.pool.execute("UPDATE account SET password_hash = $1", stored)

    async def took(username: str, password: str) -> float:
        await issuer.pool.execute("DELETE FROM guess")
        await alice.authorize()
        began = time.perf_counter()
        response = await alice.press("sign-in", username=username, password=password)
        assert response.status_code == 403
        return time.perf_counter() - began

    tries = [(await took(USERNAME, "wrong"), await took(f"no{n}", PASSWORD)) for n in range(9)]
    known, unknown = map(statistics.median, zip(*tries, strict=True))
    assert known == pytest.approx(unknown, rel=0.3)


async def test_guessing_is_slowed_down(issuer: Issuer, alice: Visitor) -> None:
    """After a few free tries even the right password has to wait, and is not looked at."""
    assert await guess(alice, times=FREE + 1) == [403] * (FREE + 1)
    computed = issuer.people.passwords.computed
    response = await alice.sign_in()
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert issuer.people.passwords.computed == computed
    assert "Wait a second" in alice.page.text


async def test_the_limit_holds_over_all_replicas(
    issuer: Issuer, replica: Issuer, alice: Visitor
) -> None:
    """Tries at one process count at the other."""
    async with replica.visitor() as other:
        await guess(alice, times=3)
        assert await guess(other, times=FREE - 2) == [403] * (FREE - 2)
        assert (await alice.sign_in()).status_code == 429
        assert (await other.sign_in()).status_code == 429


async def test_parallel_guesses_do_not_outrun_the_limit(
    issuer: Issuer, replica: Issuer, alice: Visitor
) -> None:
    """However many come at once to several replicas, only the free ones are looked at."""
    async with replica.visitor() as other:
        visitors = [alice, other]
        for visitor in visitors:
            await visitor.authorize()
        forms = [(visitor, visitor.page) for visitor in visitors]
        answers = await asyncio.gather(
            *(
                visitor.http.post(
                    "/sign-in",
                    data={**page.fields, "username": USERNAME, "password": f"guess {n}"},
                )
                for n in range(15)
                for visitor, page in forms
            )
        )
    looked_at = [answer.status_code for answer in answers].count(403)
    assert FREE + 1 <= looked_at <= FREE + 2
    hashes = issuer.people.passwords.computed + replica.people.passwords.computed
    assert hashes == 1 + looked_at  # the first one made the account


async def test_nobody_is_locked_out_for_ever(issuer: Issuer, alice: Visitor) -> None:
    """After thousands of guesses the right password works as soon as the pause is over."""
    await guess(alice, times=FREE + 1)
    await issuer.pool.execute("UPDATE guess SET failures = 5000")
    await pauses_end(issuer.pool)
    assert (await alice.sign_in()).status_code == 200


async def test_a_known_browser_has_a_count_of_its_own(issuer: Issuer, alice: Visitor) -> None:
    """Strangers who guess, even from the same network, can't keep somebody out of their browser."""
    await alice.sign_in()
    async with issuer.visitor() as mallory:
        await guess(mallory, times=FREE + 1)
        assert (await mallory.sign_in()).status_code == 429
    assert (await alice.sign_in(prompt="login")).status_code == 200


async def test_a_known_browser_is_limited_itself(issuer: Issuer, alice: Visitor) -> None:
    """Knowing the browser is no licence to guess."""
    await alice.sign_in()
    statuses = []
    for n in range(FREE + 2):
        await alice.authorize(prompt="login")
        response = await alice.press("sign-in", username=USERNAME, password=f"guess {n}")
        statuses.append(response.status_code)
    assert statuses == [403] * (FREE + 1) + [429]


async def test_knowing_one_account_opens_no_other(issuer: Issuer, alice: Visitor) -> None:
    """A browser is known to the accounts that signed in from it, and to no others."""
    await add_account(issuer, "mallory")
    await alice.sign_in("mallory")
    statuses = []
    for n in range(FREE + 2):
        await alice.authorize(prompt="login")
        response = await alice.press("sign-in", username=USERNAME, password=f"guess {n}")
        statuses.append(response.status_code)
    assert statuses[-1] == 429


async def test_one_network_that_tries_many_names_is_slowed(issuer: Issuer, alice: Visitor) -> None:
    """One password tried on ever new accounts meets the limit of the network."""
    free = RULES[Against.NETWORK].free
    await guess(alice, "first")
    await issuer.pool.execute("UPDATE guess SET failures = $1", free)
    assert await guess(alice, "second") == [403]
    assert await guess(alice, "third") == [429]
    async with issuer.visitor("198.51.100.1") as elsewhere:
        assert await guess(elsewhere, "third") == [403]


async def test_the_same_network_is_one_network(issuer: Issuer, alice: Visitor) -> None:
    """Neighbours in a /24 share a count, so changing the last number does not help."""
    await guess(alice, times=FREE + 1)
    async with issuer.visitor("192.0.2.200") as neighbour:
        assert await guess(neighbour) == [429]


async def test_a_forged_forwarded_address_does_not_help(issuer: Issuer, alice: Visitor) -> None:
    """Without a trusted proxy X-Forwarded-For is ignored."""
    await guess(alice, times=FREE + 1)
    alice.http.headers["x-forwarded-for"] = "203.0.113.7"
    assert await guess(alice) == [429]


async def test_behind_a_proxy_the_forwarded_address_counts(pool: Pool, issuer: Issuer) -> None:
    """With one trusted proxy, its last entry is the address."""
    async with issuer_on(pool, trusted_proxies=1) as proxied, proxied.visitor() as visitor:
        visitor.http.headers["x-forwarded-for"] = "203.0.113.7"
        await guess(visitor)
    (failed,) = await told(pool, "login.failed")
    assert failed["origin"]["network"] == "203.0.113.0/24"


async def test_a_pause_is_told_once(issuer: Issuer, alice: Visitor) -> None:
    """Hammering on during a pause writes no more events."""
    await guess(alice, times=FREE + 1)
    await issuer.pool.execute(
        "UPDATE guess SET blocked_until = blocked_until + interval '1 minute'"
    )
    assert await guess(alice, times=3) == [429] * 3
    reasons = [event["reason"] for event in await told(issuer.pool, "login.failed")]
    assert reasons == ["credentials"] * (FREE + 1) + ["limited"]


async def test_counts_name_nobody_and_are_forgotten(issuer: Issuer, alice: Visitor) -> None:
    """The tables hold keyed hashes only, and housekeeping deletes what means nothing any more."""
    await guess(alice)
    rows = await issuer.pool.fetch("SELECT row_to_json(guess)::text AS row FROM guess")
    assert len(rows) == 3
    assert all(USERNAME not in row["row"] and "192.0.2" not in row["row"] for row in rows)
    assert await forget_expired(issuer.people) == 0
    await issuer.pool.execute("UPDATE guess SET last_at = last_at - interval '2 hours'")
    assert await forget_expired(issuer.people) == 3


async def test_hashes_are_renewed_when_parameters_change(issuer: Issuer, alice: Visitor) -> None:
    """Signing in replaces a hash that was made with other parameters than today's."""
    before = await issuer.pool.fetchval("SELECT password_hash FROM account")
    async with issuer_on(issuer.pool) as stronger:
        passwords = Passwords(passes=2, memory_kib=128, lanes=1)
        stronger_hash = await passwords.hash(PASSWORD)
        passwords.close()
        await stronger.pool.execute("UPDATE account SET password_hash = $1", stronger_hash)
    await alice.sign_in()
    after = await issuer.pool.fetchval("SELECT password_hash FROM account")
    assert after not in (before, stronger_hash)
    assert "m=64,t=1,p=1" in after


async def test_a_flood_of_hashes_is_refused(issuer: Issuer) -> None:
    """More passwords than the queue holds are turned away instead of piling up."""
    passwords = Passwords(passes=1, memory_kib=64, lanes=1, at_once=1, waiting=1)
    try:
        outcomes = await asyncio.gather(
            *(passwords.verify(None, "x") for _ in range(5)), return_exceptions=True
        )
    finally:
        passwords.close()
    assert sum(isinstance(outcome, BusyError) for outcome in outcomes) == 3
