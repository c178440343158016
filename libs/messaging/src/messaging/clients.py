"""Starts aiokafka's clients and ends them in bounded time, also when the broker is gone.

Their own stop() waits without end for what can't be delivered (aiokafka #1017), can hang (#773),
and can raise the CancelledError of a task of theirs in whoever called it, which would end a
supervised loop for good. There is no public way to give up. A start() that is cancelled can leave a
connection open that nobody can close any more, so it is let finish.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

PATIENCE_SECONDS = 5.0


async def start(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Connect; when cancelled, first wait a little for the end of it.

    Raises:
        KafkaError: the broker can't be reached.
    """
    starting = asyncio.get_running_loop().create_task(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=PATIENCE_SECONDS)
        if starting.done() and not starting.cancelled():
            starting.exception()  # nobody waits for it any more
        starting.cancel()
        raise


def leave_seat(consumer: AIOKafkaConsumer) -> None:
    """Let `stop_consumer` leave the group also where the consumer has a seat.

    aiokafka keeps the seat then, so that others would wait for the session to run out.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 -- there is no public way
    if coordinator is not None:
        coordinator._group_instance_id = None  # noqa: SLF001 -- there is no public way


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group if the broker answers, and close the connections."""
    if await _ends_well(consumer.stop()):
        return
    fetcher = consumer._fetcher  # noqa: SLF001 -- see the module
    fetches = list(fetcher._pending_tasks) if fetcher else []  # noqa: SLF001 -- see the module
    for fetch in fetches:
        fetch.cancel()
    if fetches:
        await asyncio.wait(fetches, timeout=PATIENCE_SECONDS)
    await _ends_well(consumer._client.close())  # noqa: SLF001 -- see the module


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Close the connections. What was not acknowledged yet is given up."""
    producer._closed = True  # noqa: SLF001 -- see the module
    await _ends_well(producer._sender.close())  # noqa: SLF001 -- see the module
    await _ends_well(producer.client.close())


async def _ends_well(work: Coroutine[Any, Any, None]) -> bool:
    task = asyncio.get_running_loop().create_task(work)
    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    if not task.done():
        task.cancel()
        return False
    return not task.cancelled() and task.exception() is None
