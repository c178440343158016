from collections.abc import Callable, Sequence

from messaging.consume import Received
from messaging.postgres import Connection, Pool
from tests.integration.messaging.support import (
    a_consumer,
    a_relay,
    fact,
    handled,
    running,
    say,
    until_handled,
    write_down,
)

LATE_REFUSAL = """
CREATE TABLE tries (id int PRIMARY KEY, ok boolean);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused at the commit';
END
$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON tries DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NOT new.ok) EXECUTE FUNCTION refuse()
"""


async def test_what_a_handler_asks_for_is_done_once_and_after_the_commit(
    bootstrap: str, outbox_pool: Pool, heard_pool: Pool
) -> None:
    """A batch whose COMMIT is refused did not happen: only the try that was committed counts."""
    await heard_pool.execute(LATE_REFUSAL)
    tries: list[int] = []
    counted: list[int] = []

    async def handle(connection: Connection, batch: Sequence[Received]) -> Callable[[], None]:
        tries.append(len(batch))
        await write_down(connection, batch)
        await connection.execute(
            "INSERT INTO tries VALUES ($1, $2)", len(tries), bool(len(tries) > 2)
        )
        return lambda: counted.append(len(batch))

    consumer = a_consumer(heard_pool, bootstrap, handle=handle)
    async with running(a_relay(outbox_pool, bootstrap).run, consumer.run):
        await say(outbox_pool, fact("key", 1))
        await until_handled(heard_pool, 1)
    assert await handled(heard_pool) == [("key", 1)]
    assert len(tries) >= 3
    assert sum(counted) == sum(tries[2:])
