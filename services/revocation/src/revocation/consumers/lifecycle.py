"""`token-lifecycle`: a batch of facts becomes verdicts, entries and signals in one commit."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

import structlog

from messaging.consume import Received
from revocast_contracts.lifecycle import KillApplied, WatermarkPassed
from revocation.domain.detector import Rule
from revocation.store import watermarks
from revocation.usecases.act_on_verdicts import act_on_verdicts, reuse_fact
from revocation.usecases.complete_kills import Applied, complete_kills
from revocation.usecases.judge_families import Judged, judge_families
from revocation.usecases.publish_entries import fact_of, publish_entries
from servicekit.postgres import Connection

GROUP = "revocation"

_log = structlog.get_logger()


class LifecycleHandler:
    """Handles a batch in the consumer's transaction: its effects commit with its position.

    `ending` are the detector's rules that end a family. `completed` hears of kills that the issuer
    applied, before the commit, which follows within milliseconds.
    """

    def __init__(
        self,
        *,
        ending: Collection[Rule],
        hash_key: bytes,
        completed: Callable[[Iterable[str]], None],
    ) -> None:
        self._ending = frozenset(ending)
        self._hash_key = hash_key
        self._completed = completed

    async def __call__(
        self, connection: Connection, batch: Sequence[Received]
    ) -> Callable[[], None]:
        """Locks are taken in the order of the tables: lineage, kill, entry, watermark.

        What it returns logs the verdicts; call it once they are committed.
        """
        events = [received.event for received in batch]
        judged = await judge_families(connection, events)
        facts = [fact for event in events if (fact := fact_of(event))]
        reused = [fact for one in judged if (fact := reuse_fact(one))]
        covering = await publish_entries(connection, list(dict.fromkeys([*facts, *reused])))
        await act_on_verdicts(
            connection, judged, covering, ending=self._ending, hash_key=self._hash_key
        )
        applied = [
            Applied(kill=event.data, correlation_id=event.correlationid)
            for event in events
            if isinstance(event.data, KillApplied)
        ]
        completed = await complete_kills(connection, applied)
        heard = {
            event.data.source: event.data.complete_through
            for event in events
            if isinstance(event.data, WatermarkPassed)
        }
        if heard:
            await watermarks.advance(connection, heard)
        self._completed(completed)
        return partial(_tell, judged)


def _tell(judged: Sequence[Judged]) -> None:
    """Each verdict under the id of the request that led to it."""
    for one in judged:
        _log.info(
            "verdict",
            verdict=type(one.verdict).__name__.lower(),
            family=one.family,
            correlation_id=one.event.correlationid,
        )
