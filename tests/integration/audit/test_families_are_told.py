from datetime import timedelta
from uuid import uuid4

import pytest

from audit.domain.family import FamilyStory
from audit.usecases.tell_family import Window, tell_family
from revocast_contracts.activity import AccountDisabled
from revocast_contracts.lifecycle import DenyReason, EndCause
from revocast_contracts.selectors import SelectorKind
from revocast_contracts.topics import ISSUER_ACTIVITY
from servicekit.postgres import Pool
from tests.support.audit import Story, record

WHOLE = Window(limit=500)


async def _told(pool: Pool, story: Story, window: Window = WHOLE) -> FamilyStory:
    told = await tell_family(pool, story.family, window)
    assert told is not None
    return told


async def test_nothing_is_told_of_an_unknown_family(pool: Pool) -> None:
    """A family without a record has no story."""
    assert await tell_family(pool, str(uuid4()), WHOLE) is None


async def test_a_living_family_has_no_end(pool: Pool) -> None:
    """A family that was started and refreshed is active, at its generation."""
    story = Story()
    await record(pool, story.started(), story.rotated(2), story.rotated(3))
    told = await _told(pool, story)
    assert told.ending is None
    assert told.generation == 3
    assert (told.client, told.subject, told.session) == ("web", story.sub, story.session)
    assert [one.index for one in told.records] == [0, 1, 2]


async def test_reuse_ends_a_family(pool: Pool) -> None:
    """The stale presentation is the end, with its record; what came later does not change that."""
    story = Story()
    await record(pool, story.started(), story.rotated(2), story.rotated(3), story.stale(1, 3))
    at = story.now
    await record(pool, story.denied(DenyReason.ENDED))
    await record(pool, story.killed(SelectorKind.SUBJECT, story.sub))
    told = await _told(pool, story)
    assert told.ending is not None
    assert (told.ending.cause, told.ending.records) == ("reuse", (3,))
    assert told.ending.at < at
    assert len(told.records) == 5


@pytest.mark.parametrize("cause", list(EndCause))
async def test_every_cause_is_told(pool: Pool, cause: EndCause) -> None:
    """The cause that the issuer told is the cause of the story."""
    story = Story()
    await record(pool, story.started(), story.ended(cause))
    told = await _told(pool, story)
    assert told.ending is not None
    assert told.ending.cause == cause


@pytest.mark.parametrize(
    "kind", [SelectorKind.SUBJECT, SelectorKind.SESSION, SelectorKind.CLIENT, SelectorKind.FAMILY]
)
async def test_a_kill_from_outside_is_told_as_such(pool: Pool, kind: SelectorKind) -> None:
    """A kill of a family's subject, session, client or itself is its end: who, why, and when."""
    story = Story(client=f"client-{uuid4()}")
    value = {
        SelectorKind.SUBJECT: story.sub,
        SelectorKind.SESSION: story.session,
        SelectorKind.CLIENT: story.client,
        SelectorKind.FAMILY: story.family,
    }[kind]
    await record(pool, story.started(), story.killed(kind, value))
    told = await _told(pool, story)
    assert told.ending is not None
    assert told.ending.cause == "kill"
    assert told.ending.kill is not None
    assert told.ending.kill.selector == f"{kind}:{value}"
    assert (told.ending.kill.actor, told.ending.kill.reason) == ("an operator", "stolen laptop")
    assert told.ending.records == (1, 2)
    assert [one.index for one in told.records] == [0, 1, 2]


async def test_a_kill_of_everything_ends_every_family(pool: Pool) -> None:
    """A kill of the issuer is the end of each family that began before it."""
    story, later = Story(), Story()
    kill = Story(now=story.now + timedelta(seconds=10)).killed(
        SelectorKind.ISSUER, "https://issuer.example"
    )
    later.now += timedelta(seconds=60)
    await record(pool, story.started(), kill, later.started())
    assert (await _told(pool, story)).ending is not None
    assert (await _told(pool, later)).ending is None


async def test_a_kill_of_others_or_of_before_ends_nothing(pool: Pool) -> None:
    """Kills of another subject, and of the same one before the family began, leave it alive."""
    story = Story()
    await record(pool, story.killed(SelectorKind.SUBJECT, story.sub))
    await record(pool, story.started(), story.killed(SelectorKind.SUBJECT, str(uuid4())))
    told = await _told(pool, story)
    assert told.ending is None
    assert len(told.records) == 1


async def test_a_kill_that_is_only_decided_ends_nothing_yet(pool: Pool) -> None:
    """Until the issuer has applied it, a kill is no end: the issuer might still mint."""
    story = Story()
    started = story.started()
    decided, completed = story.killed(SelectorKind.SESSION, story.session)
    await record(pool, started, decided)
    assert (await _told(pool, story)).ending is None
    await record(pool, completed)
    assert (await _told(pool, story)).ending is not None


async def test_a_kill_whose_decision_is_not_here_is_told_all_the_same(pool: Pool) -> None:
    """Topics are not in step: completion without the decision still is the end."""
    story = Story()
    await record(pool, story.started())
    _, completed = story.killed(SelectorKind.SUBJECT, story.sub)
    await record(pool, completed)
    told = await _told(pool, story)
    assert told.ending is not None
    assert told.ending.kill is not None
    assert told.ending.kill.actor is None


async def test_a_disabled_client_ends_its_families(pool: Pool) -> None:
    """The end of a client is the end of its families, unless it was enabled again and minted."""
    story = Story(client=f"client-{uuid4()}")
    await record(pool, story.started(), story.client_disabled())
    told = await _told(pool, story)
    assert told.ending is not None
    assert told.ending.cause == "client_disabled"
    await record(pool, story.rotated(2))
    assert (await _told(pool, story)).ending is None


async def test_a_disabled_account_ends_its_families(pool: Pool) -> None:
    """The end of an account is the end of its families."""
    story = Story()
    disabled = AccountDisabled(sub=story.sub, actor="operator")
    await record(pool, story.started(), story.tell(disabled, ISSUER_ACTIVITY))
    told = await _told(pool, story)
    assert told.ending is not None
    assert told.ending.cause == "account_disabled"


@pytest.mark.parametrize("reason", list(DenyReason))
async def test_a_refusal_proves_an_end_that_nobody_told(pool: Pool, reason: DenyReason) -> None:
    """Expiry has no event of its own: the refusal tells it. A token from the future proves none."""
    story = Story()
    await record(pool, story.started(), story.rotated(2), story.denied(reason))
    ending = (await _told(pool, story)).ending
    if reason is DenyReason.FUTURE_GENERATION:
        assert ending is None
    else:
        assert ending is not None
        assert ending.cause == reason


async def test_a_long_story_is_told_in_pages(pool: Pool) -> None:
    """Pages hold every record once, in order, those of the kill in their places."""
    story = Story()
    await record(pool, story.started(), [story.rotated(n) for n in range(2, 12)])
    kill = story.killed(SelectorKind.SUBJECT, story.sub)
    await record(pool, kill, story.denied(DenyReason.CUT), story.denied(DenyReason.CUT))
    seen: list[int] = []
    after = None
    for _ in range(20):
        told = await _told(pool, story, Window(limit=3, after=after))
        seen += [one.index for one in told.records]
        assert told.ending is not None
        if told.next_after is None:
            break
        after = told.next_after
    assert seen == list(range(15))
