import itertools
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
from tests.support.deadlines import until

REFUSED = 2
"""The first tries, whose COMMIT fails."""

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
    tries = itertools.count(1)
    counted: list[int] = []

    async def handle(connection: Connection, batch: Sequence[Received]) -> Callable[[], None]:
        number = next(tries)
        await write_down(connection, batch)
        await connection.execute("INSERT INTO tries VALUES ($1, $2)", number, number > REFUSED)
        return lambda: counted.append(number)

    consumer = a_consumer(heard_pool, bootstrap, handle=handle)
    async with running(a_relay(outbox_pool, bootstrap).run, consumer.run):
        await say(outbox_pool, fact("key", 1))
        await until_handled(heard_pool, 1)
        await until(lambda: bool(counted))
    committed = [row["id"] for row in await heard_pool.fetch("SELECT id FROM tries ORDER BY id")]
    assert await handled(heard_pool) == [("key", 1)]
    assert min(committed) == REFUSED + 1
    # A try that was under way when everything stopped may be committed and not counted any more.
    assert counted == committed[: len(counted)]
