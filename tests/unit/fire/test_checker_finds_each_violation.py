import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from revocast_contracts.topics import DEAD_LETTER, SECURITY_SIGNALS, TOKEN_LIFECYCLE
from tests.fire import history
from tests.fire.checker import check
from tests.fire.evidence import CREDENTIAL, Stored
from tests.fire.history import Decision, Fault, Request, Writer
from tests.support.sound_run import BEGAN, SoundRun, event_id, sound_run


def found(run: SoundRun) -> list[str]:
    """Which promises are broken, with what is said of them."""
    return [f"{each.promise}: {each.what}" for each in check(run.history, run.evidence)]


def test_a_sound_run_has_no_violation() -> None:
    """The checker is silent where every promise held."""
    assert found(sound_run()) == []


def forked(run: SoundRun) -> None:
    """One generation is presented twice and buys two different successors."""
    got = run.got("honest", 3, 2, jti_hash="fork", successor="another")
    run.request("refresh", 2.5, family="honest", generation=2, got=got)
    run.tell("revocast.token.replayed.v1", family="honest", generation=3, jti_hash="fork")


def rotated_twice(run: SoundRun) -> None:
    """The topic tells two rotations of one generation."""
    run.tell("revocast.token.rotated.v1", family="honest", generation=3, jti_hash="x")


def jumped(run: SoundRun) -> None:
    """A generation buys the one after the next."""
    got = run.got("honest", 5, 13)
    run.request("refresh", 13, family="honest", generation=3, got=got)
    for generation in (4, 5):
        jti_hash = f"honest/{generation}"
        run.tell(
            "revocast.token.rotated.v1", family="honest", generation=generation, jti_hash=jti_hash
        )
    run.row("honest", generation=5)


def minted_after_theft(run: SoundRun) -> None:
    """The victim of a refused theft still gets a successor."""
    run.refresh("stolen", 3, 8)


def minted_after_kill(run: SoundRun) -> None:
    """A killed family still gets a successor."""
    run.refresh("killed", 1, 13)


def dead_on_arrival(run: SoundRun) -> None:
    """After a client was killed, a token of before the kill is handed out."""
    kill: dict[str, Any] = {"kill_id": "late", "selector": "client:another"}
    run.request("kill", 14, applied_at=BEGAN + 14, **kill)
    got = run.for_itself("another", 13)
    run.request("credentials", 15, got=got)
    run.tell("revocast.token.issued.v1", jti_hash=got.jti_hash)


def no_verdict(run: SoundRun) -> None:
    """A reuse without reuse.detected."""
    _forget(run, lambda one: one.type == "revocast.reuse.detected.v1")


def no_entry(run: SoundRun) -> None:
    """A reuse without an entry."""
    _forget(run, lambda one: one.type == "revocast.revocation.entry.v1")


def thief_let_live(run: SoundRun) -> None:
    """A thief is refused, but his family goes on."""
    run.refused("theft", "honest", 1, 14)
    run.history.decisions.clear()


def honest_refused(run: SoundRun) -> None:
    """An honest client's current token is refused."""
    run.refused("refresh", "honest", 3, 14)


def honest_ended(run: SoundRun) -> None:
    """A family is ended for a reuse that no thief committed."""
    run.reuse("honest", 1)


def ended_by_nobody(run: SoundRun) -> None:
    """A family is ended by a code replay that nobody made."""
    run.tell("revocast.family.ended.v1", family="honest", cause="code_replay")


def late_theft(run: SoundRun) -> None:
    """A ready guard accepts a stolen family's token after its bound."""
    run.ask("stolen", 3, 15, "accepted")


def late_kill(run: SoundRun) -> None:
    """A ready guard accepts a killed family's token after its bound."""
    run.ask("killed", 1, 16, "accepted")


def invented(run: SoundRun) -> None:
    """A guard denies a token that nobody ended."""
    run.ask("honest", 3, 21, "revoked")


def index_gap(run: SoundRun) -> None:
    """The audit's index has a hole."""
    run.evidence.records[-1] = replace(run.evidence.records[-1], index=99)


def recorded_twice(run: SoundRun) -> None:
    """The audit has an event twice."""
    records = run.evidence.records
    first = next(each for each in records if each.family is None or each.topic != "x")
    again = replace(first, index=len(records), family=None)
    records.append(again)


def reordered(run: SoundRun) -> None:
    """The audit has two events of a family the other way round."""
    records = run.evidence.records
    one, two = (n for n, each in enumerate(records[:3]) if n in {1, 2})
    records[one], records[two] = (
        replace(records[two], index=one),
        replace(records[one], index=two),
    )


def unpublished(run: SoundRun) -> None:
    """An event of the outbox never came to its topic."""
    last = _last(run, SECURITY_SIGNALS.name)
    run.evidence.outbox.append(replace(run.evidence.outbox[0], event_id="lost", topic=last))


def invented_event(run: SoundRun) -> None:
    """The topic and the audit have an event that nobody committed."""
    run.tell("revocast.token.revoked.v1", jti_hash="x")
    run.evidence.outbox.pop()


def unrecorded(run: SoundRun) -> None:
    """A published event has no record."""
    run.tell("revocast.token.revoked.v1", jti_hash="x")
    run.evidence.records.pop()


def seq_gap(run: SoundRun) -> None:
    """The places on a partition jump."""
    run.tell("revocast.token.revoked.v1", jti_hash="x")
    _change(run, -1, seq=99)


def two_places(run: SoundRun) -> None:
    """One event is sent again with another place."""
    run.tell("revocast.token.revoked.v1", jti_hash="x")
    stored = run.evidence.stored
    event = {**(stored[-1].event or {}), "seq": 1}
    stored.append(replace(stored[-1], offset=stored[-1].offset + 1, event=event))


def untold(run: SoundRun) -> None:
    """A client holds a token of which no event tells."""
    got = run.for_itself("another", 13)
    run.request("credentials", 15, got=got)


def row_ahead(run: SoundRun) -> None:
    """A family's row has a generation that no event told."""
    run.row("honest", generation=4)


def died(run: SoundRun) -> None:
    """An event stands on the dead-letter topic."""
    event = {"id": "letter", "type": "revocast.letter.died.v1", "data": {"reason": "bad"}}
    run.evidence.stored.append(Stored(topic=DEAD_LETTER.name, partition=0, offset=0, event=event))


def secret(run: SoundRun) -> None:
    """A topic holds a credential."""
    run.evidence.stored[0] = replace(run.evidence.stored[0], secret=True)


BREAKS = [
    (forked, "1: generation 2 has 2 successors"),
    (rotated_twice, "1: the topic tells generation 3 where 4 comes next"),
    (jumped, "1: generation 3 bought generation 5"),
    (minted_after_theft, "2: minted 1.990 s after theft"),
    (minted_after_kill, "2: minted 1.990 s after kill"),
    (dead_on_arrival, "4: issued dead on arrival after kill"),
    (no_verdict, "2: reuse without reuse.detected"),
    (no_entry, "2: reuse without an applied entry"),
    (thief_let_live, "2: a thief was refused and the family lives"),
    (honest_refused, "3: an honest client was refused generation 3"),
    (honest_ended, "3: reuse of generation 1 that no thief presented"),
    (ended_by_nobody, "3: a family ended by code_replay for which nobody asked"),
    (late_theft, "2: guard accepted 8.99 s after theft, its bound is 4.00 s"),
    (late_kill, "4: guard accepted 4.99 s after kill, its bound is 4.00 s"),
    (invented, "6: guard said revoked of a token that nobody ended"),
    (index_gap, "5: record 99 stands where"),
    (recorded_twice, "5: 2 records of one event"),
    (reordered, "5: records in another order than the topic"),
    (unpublished, "6: an event was committed and never published"),
    (invented_event, "6: an event was published and never committed"),
    (unrecorded, "6: an event was published and not recorded"),
    (seq_gap, "6: revocast.token-lifecycle.v1/0 goes from"),
    (two_places, "6: one event at"),
    (untold, "6: a token that a client got has 0 events"),
    (row_ahead, "6: the family's row has generation 4, its events 3"),
    (died, "6: an event was dead-lettered"),
    (secret, "7: a credential stands on a topic"),
]


@pytest.mark.parametrize(("damage", "told"), BREAKS, ids=[each.__name__ for each, _ in BREAKS])
def test_one_damage_is_one_violation(damage: Callable[[SoundRun], None], told: str) -> None:
    """Each damage to a sound run is found, and nothing else is."""
    run = sound_run()
    damage(run)
    (only,) = found(run)
    assert only.startswith(told)


def test_a_retry_in_three_generations_excuses_an_ending() -> None:
    """The detector may end a family whose client retried three generations in a row."""
    run = sound_run()
    for generation in (1, 2, 3):
        for _ in range(2):
            run.request("refresh", 13, status=None, family="honest", generation=generation)
    run.refused("refresh", "honest", 3, 14)
    assert found(run) == []


def test_a_kill_leaves_younger_tokens_alone() -> None:
    """What was issued after a subject's kill was applied may be accepted for ever."""
    run = sound_run()
    kill: dict[str, Any] = {"kill_id": "all of a person", "selector": "subject:another"}
    run.request("kill", 14, applied_at=BEGAN + 14, **kill)
    got = run.got("young", 1, 16, subject="another")
    run.request("redeem", 16, got=got)
    run.tell("revocast.token.issued.v1", family="young", jti_hash=got.jti_hash)
    run.ask("young", 1, 40, "accepted")
    assert found(run) == []


def test_a_hash_that_begins_like_a_token_is_none() -> None:
    """A JWT and a refresh token are credentials, letters of one in a hash are not."""
    assert CREDENTIAL.search(b'{"jti_hash": "gD6D_U6y3yAqG8qSeyJhAxirCPRWiaV367T"}') is None
    assert CREDENTIAL.search(b'{"token": "eyJhbGciOiJ.eyJpc3MiOiJo.c2lnbmF0dXJl"}')
    assert CREDENTIAL.search(b'{"token": "rvc_rt_k1.0.1.x"}')


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every line comes back, and no token is in the file."""
    run, writer = sound_run(), Writer(tmp_path / "history.jsonl")
    writer.bound("guard", 4.0)
    fault = Fault(act="kill", target="issuer-1", at=BEGAN)
    lines: list[Request | Decision | Fault] = [*run.history.requests, *run.history.decisions]
    for each in [*lines, fault]:
        writer.write(each)
    writer.close()
    again = history.read(writer.path)
    assert again.requests == run.history.requests
    assert again.decisions == run.history.decisions
    assert again.faults == [fault]
    assert again.bounds == run.history.bounds
    assert all(json.loads(line)["kind"] for line in writer.path.read_text().splitlines())


def _forget(run: SoundRun, which: Callable[[Stored], bool]) -> None:
    """An event is nowhere, and the places close up behind it."""
    (lost,) = (one for one in run.evidence.stored if which(one))
    run.evidence.stored.remove(lost)
    run.evidence.outbox = [row for row in run.evidence.outbox if row.event_id != event_id(lost)]
    kept = [each for each in run.evidence.records if each.event_id != event_id(lost)]
    run.evidence.records = [replace(each, index=place) for place, each in enumerate(kept)]


def _change(run: SoundRun, place: int, **changed: Any) -> None:
    stored = run.evidence.stored
    stored[place] = replace(stored[place], event={**(stored[place].event or {}), **changed})


def _last(run: SoundRun, name: str) -> str:
    """The noun of a topic that has events."""
    assert any(one.topic == name for one in run.evidence.stored)
    return TOKEN_LIFECYCLE.noun if name == TOKEN_LIFECYCLE.name else SECURITY_SIGNALS.noun
