"""Events that the backup held unsent, but that Kafka has by now, come twice and do no harm."""

from collections import Counter

from revocast_contracts.topics import TOKEN_LIFECYCLE
from revocation.domain.detector import Lineage, observe
from revocation.usecases.judge_families import FamilyData, observation_of
from tests.integration.restore.issuer_life import life, without_relay
from tests.support.issuer import a_family, rotated
from tests.support.restores import Restorable
from tests.support.revocation_stack import read_all


async def test_they_are_told_again_under_their_ids_and_are_no_reuse(
    restored: Restorable, bootstrap: str
) -> None:
    """The stream holds each event under one id, and the detector finds nothing in it."""
    async with without_relay(restored.dsn) as silent:
        first = await a_family(silent.families)
        second = await rotated(silent.families, first.refresh_token)
    restored.back_up()
    async with life(restored.dsn, bootstrap) as before:
        third = await rotated(before.families, second.refresh_token)
    restored.restore()
    async with life(restored.dsn, bootstrap) as after:
        await rotated(after.families, third.refresh_token)
    told = [
        event
        for event in await read_all(bootstrap, TOKEN_LIFECYCLE)
        if isinstance(event.data, FamilyData)
    ]
    assert len({event.id for event in told}) == 4
    assert Counter(event.id for event in told).most_common(1)[0][1] == 2
    lineage: Lineage | None = None
    for event in told:
        assert isinstance(event.data, FamilyData)
        lineage, verdicts = observe(lineage, observation_of(event, event.data))
        assert verdicts == ()
    assert lineage is not None
    assert lineage.generation == 4
