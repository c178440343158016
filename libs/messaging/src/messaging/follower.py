"""State that has to be level with the log: a restored database is behind what it once published."""

from collections.abc import Sequence
from typing import Protocol

from messaging.postgres import Connection
from revocast_contracts.envelope import Event


class Follower(Protocol):
    """What a service keeps beside its outbox. Each call but `is_level` may be repeated.

    The relay calls all of it on the connection on which it read its own positions.
    """

    async def is_level(self, connection: Connection) -> bool:
        """Whether `level` was said in this life of the data."""

    async def behind(self, connection: Connection) -> None:
        """The log is ahead: nothing may be decided until `level`."""

    async def catch_up(self, connection: Connection, events: Sequence[Event]) -> None:
        """Take over what the log says, in the caller's transaction; never backwards."""

    async def lost(self, connection: Connection, *, epoch: int) -> None:
        """The log does not hold all that is missing. In the transaction that begins the epoch."""

    async def level(self, connection: Connection) -> None:
        """The log is not ahead, or has been caught up with."""
