"""The issuer's SQL and the revocation service's detector read the same table of cases."""

from typing import Any
from uuid import UUID

import pytest

from issuer.domain.authorization import Origin
from issuer.domain.refresh_token import parse
from issuer.store.families import Families
from issuer.store.rotations import Presentation as Presented
from issuer.store.rotations import rotate
from messaging.rows import COLUMNS, event_of
from revocation.domain.detector import Observation, Reuse, Verdict
from revocation.usecases.judge_families import FamilyData, observation_of
from servicekit.postgres import Pool
from tests.support.family_cases import FAMILY_CASES, FamilyCase, Presentation
from tests.support.family_stream import judge, stream_of
from tests.support.issuer import CLIENT, a_family

CASES = pytest.mark.parametrize("case", FAMILY_CASES, ids=lambda case: case.name)


@CASES
async def test_each_presentation_alone_gets_the_word_of_the_table(
    families: Families, pool: Pool, case: FamilyCase
) -> None:
    """A family whose row is set to what the case says answers with the case's word."""
    for stated in case.presentations:
        family = await _a_family(families)
        await pool.execute(
            "UPDATE family SET generation = $2, replays = $3 WHERE id = $1",
            family,
            stated.current,
            stated.replays,
        )
        if stated.ended:
            await pool.execute(
                "UPDATE family SET state = 'ended', cause = 'logout',"
                " ended_at = clock_timestamp() WHERE id = $1",
                family,
            )
        assert await _present(families, family, case, stated) == stated.outcome


@CASES
async def test_each_case_played_leads_to_the_rows_and_verdicts_of_the_table(
    families: Families, pool: Pool, case: FamilyCase
) -> None:
    """Played in order, every row is as stated, and the detector reads the same from real events."""
    family = await _a_family(families)
    for stated in case.presentations:
        row = await pool.fetchrow(
            "SELECT generation, replays, state = 'ended' FROM family WHERE id = $1", family
        )
        assert row is not None
        assert tuple(row) == (stated.current, stated.replays, stated.ended)
        assert await _present(families, family, case, stated) == stated.outcome
    _, told = judge(await _observations(pool, family))
    _, expected = judge(observation for observation, _ in stream_of(case))
    assert [_essence(verdict) for _, verdict in told] == [
        _essence(verdict) for _, verdict in expected
    ]
    ended = await pool.fetchval("SELECT state = 'ended' FROM family WHERE id = $1", family)
    assert ended == any(isinstance(verdict, Reuse) for _, verdict in told)


async def _a_family(families: Families) -> UUID:
    family = (await a_family(families)).family
    assert family is not None
    return family


async def _present(families: Families, family: UUID, case: FamilyCase, stated: Presentation) -> str:
    """Present the token of a generation when the last rotation was so long ago as stated."""
    salt = await families.pool.fetchval(
        "UPDATE family SET rotated_at = clock_timestamp() - $2 * interval '1 millisecond'"
        " WHERE id = $1 RETURNING salt",
        family,
        stated.age_ms,
    )
    keys = families.mac_keys
    token = parse(keys.mint(keys.active, family, stated.generation, salt))
    assert token is not None
    presented = Presented(
        token=token,
        half=keys.half(token.key_id, family, stated.generation),
        client_id=CLIENT.client_id,
        scope=None,
        resource=None,
        grace_ms=case.grace_ms,
        lifetime_s=600,
        idle_s=14 * 86_400,
        jti_hash="a-jti-hash",
        correlation_id="test",
        origin=Origin(network="192.0.2.0/24"),
    )
    async with families.pool.acquire() as connection:
        decided = await rotate(connection, [(presented, 0)], active_key=keys.active)
    return decided[family].outcome


async def _observations(pool: Pool, family: UUID) -> list[Observation]:
    rows = await pool.fetch(
        f"SELECT {COLUMNS} FROM outbox WHERE key = $1 ORDER BY id",  # noqa: S608 -- a constant
        str(family),
    )
    seen: list[Observation] = []
    for seq, row in enumerate(rows, start=1):
        event = event_of(row, source="issuer").model_copy(update={"seq": seq})
        if isinstance(event.data, FamilyData):
            seen.append(observation_of(event, event.data))
    return seen


def _essence(verdict: Verdict) -> tuple[Any, ...]:
    """A verdict without the ids of its evidence, which differ from run to run."""
    if isinstance(verdict, Reuse):
        return (verdict.reuse_class, verdict.presented, verdict.current, verdict.ended)
    return (verdict.rule, len(verdict.evidence))
