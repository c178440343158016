"""Promise 1 over processes: 100 parallel presentations of one refresh token at three issuers."""

import asyncio
from collections import Counter

import httpx

from tests.support.system import System


async def test_a_hundred_copies_make_one_chain_and_nobody_is_logged_out(system: System) -> None:
    """One successor, three retries of it, 429 for the rest, and the family lives on."""
    web = system.demo.clients["web"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        tokens = system.story(http).sign_in(
            web, system.demo.user, "orders.read", system.demo.urls["sample_api"], browser
        )
    with system.more_issuers(2) as others:
        issuers = [system.demo.issuer, *others]
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(timeout=30, limits=limits) as wire:

            async def present(number: int) -> httpx.Response:
                return await wire.post(
                    f"{issuers[number % 3]}/token",
                    data={
                        "grant_type": "refresh_token",
                        "refresh_token": tokens["refresh_token"],
                    },
                    auth=(web.client_id, web.client_secret or ""),
                )

            async def decided(number: int) -> httpx.Response:
                while True:
                    answer = await present(number)
                    assert answer.is_success or "retry-after" in answer.headers
                    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        return answer

            answers = await asyncio.gather(*map(decided, range(100)))
    statuses = Counter(answer.status_code for answer in answers)
    assert 1 <= statuses[200] <= 4
    assert statuses[200] + statuses[429] == 100
    successors = {answer.json()["refresh_token"] for answer in answers if answer.is_success}
    assert len(successors) == 1
    with httpx.Client(timeout=10) as http:
        story = system.story(http)
        assert story.refresh(web, {"refresh_token": successors.pop()})["refresh_token"]
