"""Promise 3 over processes: what waited in a frozen replica is not decided when it goes on."""

import os
import signal
import time

import httpx
import pytest

from servicekit.pulse import STANDSTILL_SECONDS
from tests.support.deadlines import until_sync
from tests.support.system import System


def test_a_request_that_waited_in_a_frozen_process_ends_no_family(system: System) -> None:
    """A client gave up, retried elsewhere and went on; the replica that wakes harms it not."""
    web = system.demo.clients["web"]
    with httpx.Client(timeout=10) as http, httpx.Client(timeout=10) as browser:
        story = system.story(http)
        tokens = story.sign_in(
            web, system.demo.user, "orders.read", system.demo.urls["sample_api"], browser
        )
        with system.another_issuer() as (other, pid):
            os.kill(pid, signal.SIGSTOP)
            try:
                frozen_at = time.monotonic()
                with pytest.raises(httpx.ReadTimeout):
                    httpx.post(
                        f"{other}/token",
                        data={
                            "grant_type": "refresh_token",
                            "refresh_token": tokens["refresh_token"],
                        },
                        auth=(web.client_id, web.client_secret or ""),
                        timeout=0.5,
                    )
                for _ in range(3):
                    tokens = story.refresh(web, tokens)
                until_sync(lambda: time.monotonic() - frozen_at > STANDSTILL_SECONDS + 0.5)
            finally:
                os.kill(pid, signal.SIGCONT)
            until_sync(lambda: _issues(system, other))
            assert story.refresh(web, tokens)["refresh_token"]


def _issues(system: System, issuer: str) -> bool:
    """Whether a replica has decided everything that it had read before, and issues again."""
    machine = system.demo.clients["machine"]
    answer = httpx.post(
        f"{issuer}/token",
        data={"grant_type": "client_credentials"},
        auth=(machine.client_id, machine.client_secret or ""),
        timeout=10,
    )
    return answer.status_code == 200
