import statistics
import time
from hashlib import sha256

import pytest

from issuer.store import clients
from issuer.usecases import guesses
from issuer.usecases.clients import disable_client, enable_client, replace_secret
from servicekit.postgres import transaction
from tests.support.issuer import a_code
from tests.support.issuer_api import (
    MACHINE_SECRET,
    OTHER_SECRET,
    SECRET,
    SPA,
    WEB,
    Api,
    api_on,
    error,
    good,
)
from tests.support.issuer_pages import told

WRONG = "not the secret"


async def test_basic_and_post_are_the_same(api: Api) -> None:
    """A confidential client may authenticate in the header or in the form."""
    for sent in ({"auth": ("machine", MACHINE_SECRET)}, {"auth": None}):
        in_form = {"client_id": "machine", "client_secret": MACHINE_SECRET}
        form = {} if sent["auth"] else in_form
        good(await api.token("client_credentials", auth=sent["auth"], **form))


async def test_both_halves_of_basic_are_form_encoded(api: Api) -> None:
    """A secret with spaces, percent signs and colons passes when it is encoded (2.3.1)."""
    secret = "100% a:b +ü"
    async with transaction(api.pool) as connection:
        await clients.set_secret(connection, "machine", sha256(secret.encode()).digest())
    encoded = "100%25+a%3Ab+%2B%C3%BC"
    good(await api.token("client_credentials", auth=("machine", encoded)))


async def test_refusals_look_alike(api: Api) -> None:
    """Unknown, wrong, missing, disabled, and a secret from a public client: one answer for all."""
    await disable_client(api.pool, "other", actor="test", correlation_id="test")
    tries: list[tuple[str, str | None]] = [
        ("nobody", WRONG),
        ("web", WRONG),
        ("web", None),
        ("nobody", None),
        ("other", OTHER_SECRET),
        ("spa", WRONG),
        ("\x7f'--", WRONG),
        ("n" * 128, WRONG),
        ("n" * 129, WRONG),
    ]
    answers = set()
    for client_id, secret in tries:
        form = {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        response = await api.token("refresh_token", auth=None, refresh_token="x", **form)
        headers = {n: v for n, v in response.headers.items() if n != "x-request-id"}
        answers.add((response.status_code, response.text, tuple(sorted(headers.items()))))
    assert len(answers) == 1
    assert answers.pop()[0] == 401


async def test_refusals_take_alike(api: Api) -> None:
    """The time of a refusal does not tell whether the client exists."""

    async def took(client_id: str, number: int) -> float:
        began = time.perf_counter()
        response = await api.token("refresh_token", auth=(client_id, f"{WRONG} {number}"))
        assert response.status_code == 401
        return time.perf_counter() - began

    figures = [(await took("web", n), await took("nobody", n)) for n in range(guesses.FREE)]
    known, unknown = map(statistics.median, zip(*figures, strict=True))
    assert known == pytest.approx(unknown, rel=0.25)


async def test_a_public_client_has_no_secret(api: Api) -> None:
    """A public client says its id, in the form or in a header with an empty password."""
    for sent in ("form", "header"):
        code = await a_code(api.parts.families, SPA)
        assert isinstance(code, str)
        if sent == "form":
            good(await api.redeem(code, auth=None, client_id="spa"))
        else:
            good(await api.redeem(code, auth=("spa", "")))


async def test_a_new_secret_counts_at_once_and_the_old_one_does_not(api: Api) -> None:
    """A secret that was replaced is read when it is first presented, on every replica."""
    auth = ("machine", MACHINE_SECRET)
    async with api_on(api.pool) as replica:
        good(await replica.token("client_credentials", auth=auth))
        new = await replace_secret(api.pool, "machine", actor="test", correlation_id="test")
        assert new is not None
        good(await replica.token("client_credentials", auth=("machine", new)))
        assert error(await replica.token("client_credentials", auth=auth))[0] == 401


async def test_a_disabled_client_is_issued_nothing_at_once(api: Api) -> None:
    """A replica that remembers a client as enabled is overruled by the database."""
    auth = ("machine", MACHINE_SECRET)
    tokens = await api.tokens()
    good(await api.token("client_credentials", auth=auth))
    for client_id in ("machine", "web"):
        await disable_client(api.pool, client_id, actor="test", correlation_id="test")
    assert (await api.token("client_credentials", auth=auth)).status_code in {400, 401}
    refreshed = await api.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.status_code in {400, 401}


async def test_an_enabled_client_begins_anew(api: Api) -> None:
    """What a client held before it was disabled stays dead when it is enabled again."""
    tokens = await api.tokens()
    for act in (disable_client, enable_client):
        assert await act(api.pool, "web", actor="test", correlation_id="test")
        assert not await act(api.pool, "web", actor="test", correlation_id="test")
    refreshed = await api.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert error(refreshed) == (400, "invalid_grant")
    assert await api.introspect(tokens["access_token"]) == {"active": False}
    fresh = await api.tokens()
    assert (await api.introspect(fresh["access_token"]))["active"] is True


async def test_guessing_is_slowed_down_and_told(api: Api) -> None:
    """After some wrong secrets the answer is 429; the right secret always passes; all are told."""
    api.parts.guesses.clock = lambda: 0.0
    answers = [
        await api.token("client_credentials", auth=("machine", f"{WRONG}{number}"))
        for number in range(guesses.FREE + 5)
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[: guesses.FREE] == [401] * guesses.FREE
    assert statuses[-1] == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    good(await api.token("client_credentials", auth=("machine", MACHINE_SECRET)))
    assert error(await api.token("client_credentials", auth=("web", WRONG)))[0] == 401
    await api.parts.guesses.tell()
    counted = {
        (e["client_id"], e["kind"]): e["count"] for e in await told(api.pool, "guess.counted")
    }
    assert counted == {
        ("machine", "client_secret"): guesses.FREE + 5,
        ("web", "client_secret"): 1,
    }


async def test_guesses_at_clients_that_do_not_exist_are_slowed_down_but_not_told(api: Api) -> None:
    """Strangers can't fill the log with ids that they made up."""
    api.parts.guesses.clock = lambda: 0.0
    statuses = [
        (await api.token("refresh_token", auth=("nobody", WRONG))).status_code
        for _ in range(guesses.FREE + 3)
    ]
    assert statuses[-1] == 429
    await api.parts.guesses.tell()
    assert await told(api.pool, "guess.counted") == []


async def test_guesses_at_tokens_and_codes_are_told_once(api: Api) -> None:
    """Forged refresh tokens and codes are counted per client and kind, and then forgotten."""
    for number in range(3):
        await api.token("refresh_token", refresh_token=f"made up {number}")
    await api.redeem("made up")
    for _ in range(2):
        await api.parts.guesses.tell()
    counted = {
        (e["client_id"], e["kind"]): e["count"] for e in await told(api.pool, "guess.counted")
    }
    assert counted == {("web", "refresh_token"): 3, ("web", "code"): 1}


async def test_nothing_secret_is_in_the_clients_row(api: Api) -> None:
    """A client's row has the hash of its secret, not the secret."""
    row = await api.pool.fetchrow("SELECT client::text AS row FROM client WHERE client_id = 'web'")
    assert row is not None
    assert SECRET not in row["row"]
    assert WEB.secret_sha256 is not None
    assert WEB.secret_sha256.hex() in row["row"]
