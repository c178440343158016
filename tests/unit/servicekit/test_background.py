import asyncio

import structlog

from servicekit.serve import Background
from tests.support.deadlines import until


async def test_a_task_that_breaks_is_started_again() -> None:
    """It is told in the log, and the others go on undisturbed."""
    starts = 0
    steady = asyncio.Event()

    async def breaks() -> None:
        nonlocal starts
        starts += 1
        raise RuntimeError("broken")

    async def goes_on() -> None:
        steady.set()
        await asyncio.Event().wait()

    background = Background(longest_pause=0.01)
    background.add("breaks", breaks)
    background.add("goes on", goes_on)
    with structlog.testing.capture_logs() as logged:
        async with background.running():
            await until(lambda: starts >= 3)
            assert steady.is_set()
            assert await background.check("goes on") is None
    assert {(each["event"], each["task"]) for each in logged} == {
        ("background task broke", "breaks")
    }


async def test_readiness_knows_what_does_not_run() -> None:
    """A task that never started, broke or ended says so."""
    ended = asyncio.Event()

    async def ends() -> None:
        ended.set()

    background = Background()
    background.add("task", ends)
    assert await background.check("task") == "not started"
    with structlog.testing.capture_logs():
        async with background.running():
            await ended.wait()
            assert await background.check("task") == "ended"


async def test_all_tasks_end_with_the_app() -> None:
    """On leaving, each task is cancelled and its cleanup awaited."""
    cleaned: list[str] = []
    started = asyncio.Event()

    async def cleans_up() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    background = Background()
    background.add("task", cleans_up)
    async with background.running():
        await started.wait()
    assert cleaned == ["up"]


async def test_a_task_that_does_not_stop_is_left() -> None:
    """One that swallows its cancellation can't keep the app from ending; it is told."""
    started, release = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    background = Background(stop_seconds=0.02)
    background.add("stubborn", stubborn)
    with structlog.testing.capture_logs() as logged:
        async with background.running():
            await started.wait()
    assert [each["event"] for each in logged] == ["background task does not stop"]
    release.set()
    for task in asyncio.all_tasks():
        if task.get_name() == "stubborn":
            task.cancel()
