"""Guards, introspection and userinfo: after the same acts the same verdict on every token."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest

from issuer.domain.authorization import Origin, Session
from issuer.domain.client import Client
from issuer.domain.outcomes import Minted, Refused
from issuer.store import clients
from issuer.store.families import Families, end_consent_families, end_session_families
from issuer.usecases.apply_kill import apply_kill
from issuer.usecases.clients import disable_client, enable_client
from issuer.usecases.issue_for_client import issue_for_client
from issuer.usecases.revoke_token import revoke_access_token, revoke_refresh_token
from revocast_contracts.selectors import SelectorKind, jti_hash, subject_hash
from servicekit.postgres import Pool, transaction
from tests.support.guard_view import ISSUER, GuardView
from tests.support.issuer import (
    CLIENT,
    HASH_KEY,
    RESOURCE,
    a_code,
    a_family,
    a_session,
    present,
    redeem,
    rotated,
)

OTHER_CLIENT = replace(CLIENT, client_id="app")


@dataclass(slots=True)
class Scene:
    """Tokens of every kind by name. `code` is the one that `first` was redeemed for."""

    families: Families
    view: GuardView
    here: Session = field(default_factory=lambda: a_session(uuid4()))
    elsewhere: Session | None = None
    code: str = ""
    tokens: dict[str, Minted] = field(default_factory=dict)

    async def prepare(self) -> None:
        """A person at two browsers and two clients, somebody else, and a machine."""
        self.elsewhere = a_session(self.here.subject)
        self.code = str(await a_code(self.families, CLIENT, self.here))
        first = await redeem(self.families, self.code)
        assert isinstance(first, Minted)
        self.tokens = {
            "first": first,
            "second": await rotated(self.families, first.refresh_token),
            "same session": await a_family(self.families, OTHER_CLIENT, self.here),
            "same subject": await a_family(self.families, CLIENT, self.elsewhere),
            "same client": await a_family(self.families, CLIENT, a_session(uuid4())),
            "stranger": await a_family(self.families, OTHER_CLIENT, a_session(uuid4())),
            "machine": await self.machine(CLIENT),
        }

    async def machine(self, client: Client) -> Minted:
        """A client's token for itself."""
        token = await self.ask_for(client)
        assert isinstance(token, Minted), token
        return token

    async def ask_for(self, client: Client) -> object:
        """Ask for one."""
        return await issue_for_client(
            self.families,
            client,
            scope=frozenset({"orders.read"}),
            resource=RESOURCE,
            origin=Origin(),
            correlation_id="test",
        )

    async def dead(self) -> set[str]:
        """The names of the tokens that guards refuse; fails where the issuer says otherwise."""
        await self.view.catch_up()
        for name, token in self.tokens.items():
            live = await self.view.issuer_accepts(token)
            assert self.view.accepts(token) == live, f"{name}: the issuer says live={live}"
        return {name for name, token in self.tokens.items() if not self.view.accepts(token)}

    async def go_on(self) -> None:
        """What still can be had is had: refreshes, a new sign-in, a client's own token."""
        for name in ("second", "same session", "same subject", "same client", "stranger"):
            client = OTHER_CLIENT if name in {"same session", "stranger"} else CLIENT
            outcome = await present(self.families, self.tokens[name].refresh_token, client)
            if isinstance(outcome, Minted):
                self.tokens[f"{name}, refreshed"] = outcome
        self.tokens["new sign-in"] = await a_family(
            self.families, CLIENT, a_session(self.here.subject)
        )
        self.tokens["new machine"] = await self.machine(CLIENT)


@pytest.fixture
async def scene(families: Families, pool: Pool) -> Scene:
    async with transaction(pool) as connection:
        for client in (CLIENT, OTHER_CLIENT):
            await clients.add(connection, client)
    scene = Scene(families, GuardView(families))
    await scene.prepare()
    return scene


def killing(kind: SelectorKind) -> Callable[[Scene], Awaitable[None]]:
    async def kill(scene: Scene) -> None:
        first = scene.tokens["first"]
        values = {
            SelectorKind.SUBJECT: subject_hash(first.subject, HASH_KEY),
            SelectorKind.CLIENT: CLIENT.client_id,
            SelectorKind.ISSUER: ISSUER,
            SelectorKind.SESSION: first.session,
            SelectorKind.FAMILY: first.family,
            SelectorKind.JTI: jti_hash(first.jti),
        }
        await scene.view.kill(kind, values[kind])

    return kill


async def kill_machine(scene: Scene) -> None:
    await scene.view.kill(SelectorKind.SUBJECT, subject_hash(CLIENT.client_id, HASH_KEY))


async def revoke_refresh(scene: Scene) -> None:
    token = scene.tokens["second"].refresh_token
    assert token is not None
    await revoke_refresh_token(
        scene.families, CLIENT, token, origin=Origin(), correlation_id="test"
    )


async def revoke_access(scene: Scene) -> None:
    token = scene.tokens["first"]
    await revoke_access_token(
        scene.families,
        CLIENT,
        jti=token.jti,
        family=token.family,
        session=token.session,
        subject=token.subject,
        expires_at=token.expires_at,
        correlation_id="test",
    )


async def log_out(scene: Scene) -> None:
    async with transaction(scene.families.pool) as connection:
        await end_session_families(
            connection,
            scene.here.session_id,
            cause="logout",
            origin=Origin(),
            correlation_id="test",
        )


async def withdraw(scene: Scene) -> None:
    async with transaction(scene.families.pool) as connection:
        await end_consent_families(
            connection,
            scene.here.subject,
            CLIENT.client_id,
            cause="consent_withdrawn",
            origin=Origin(),
            correlation_id="test",
        )


async def reuse(scene: Scene) -> None:
    await rotated(scene.families, scene.tokens["second"].refresh_token)
    outcome = await present(scene.families, scene.tokens["first"].refresh_token)
    assert isinstance(outcome, Refused)


async def replay_code(scene: Scene) -> None:
    assert isinstance(await redeem(scene.families, scene.code), Refused)


async def disable_and_enable(scene: Scene) -> None:
    pool = scene.families.pool
    assert await disable_client(pool, CLIENT.client_id, actor="test", correlation_id="test")
    assert isinstance(await scene.ask_for(CLIENT), Refused)
    assert isinstance(await a_code(scene.families), Refused)
    old = scene.tokens["second"].refresh_token
    assert isinstance(await present(scene.families, old), Refused)
    await scene.dead()
    assert await enable_client(pool, CLIENT.client_id, actor="test", correlation_id="test")


FAMILY = {"first", "second"}
OF_SUBJECT = FAMILY | {"same session", "same subject"}
OF_CLIENT = FAMILY | {"same subject", "same client", "machine"}

ACTS = [
    pytest.param(killing(SelectorKind.SUBJECT), OF_SUBJECT, id="subject killed"),
    pytest.param(killing(SelectorKind.CLIENT), OF_CLIENT, id="client killed"),
    pytest.param(
        killing(SelectorKind.ISSUER), OF_SUBJECT | OF_CLIENT | {"stranger"}, id="all killed"
    ),
    pytest.param(killing(SelectorKind.SESSION), FAMILY | {"same session"}, id="session killed"),
    pytest.param(killing(SelectorKind.FAMILY), FAMILY, id="family killed"),
    pytest.param(killing(SelectorKind.JTI), {"first"}, id="token killed"),
    pytest.param(kill_machine, {"machine"}, id="client killed as a subject"),
    pytest.param(revoke_refresh, FAMILY, id="refresh token revoked"),
    pytest.param(revoke_access, {"first"}, id="access token revoked"),
    pytest.param(log_out, FAMILY | {"same session"}, id="signed out"),
    pytest.param(withdraw, FAMILY | {"same subject"}, id="consent withdrawn"),
    pytest.param(reuse, FAMILY, id="refresh token reused"),
    pytest.param(replay_code, FAMILY, id="code replayed"),
    pytest.param(disable_and_enable, OF_CLIENT, id="client disabled and enabled"),
]


@pytest.mark.parametrize(("act", "dead"), ACTS)
async def test_after_the_same_act_guards_and_issuer_refuse_the_same_tokens(
    scene: Scene, act: Callable[[Scene], Awaitable[None]], dead: set[str]
) -> None:
    """Exactly what the act names is dead for both; what is issued later is alive on arrival."""
    assert await scene.dead() == set()
    await act(scene)
    assert await scene.dead() == dead
    refreshable = {name for name in scene.tokens if name not in dead | {"first", "machine"}}
    await scene.go_on()
    assert await scene.dead() == dead
    refreshed = {name.partition(",")[0] for name in scene.tokens if "refreshed" in name}
    assert refreshed == refreshable


async def test_a_pending_kill_refuses_everything_and_an_applied_one_what_is_older(
    scene: Scene,
) -> None:
    """Until the issuer has applied it, also new tokens are refused; after that they pass."""
    killed = scene.view.decide(
        (await scene.view.kill(SelectorKind.CLIENT, CLIENT.client_id)).selector
    )
    new = await a_family(scene.families, CLIENT, a_session())
    assert not scene.view.accepts(new)
    await apply_kill(scene.families.pool, killed, correlation_id="a kill", poke=lambda: None)
    await scene.view.catch_up()
    newer = await a_family(scene.families, CLIENT, a_session())
    assert not scene.view.accepts(new)
    assert scene.view.accepts(newer)


async def test_no_token_of_a_kills_second_or_before_is_ever_accepted(scene: Scene) -> None:
    """Around repeated kills of a client, whatever was decided before one is refused after it."""
    for _ in range(3):
        before = [await scene.machine(CLIENT), await a_family(scene.families, CLIENT)]
        await scene.view.kill(SelectorKind.CLIENT, CLIENT.client_id)
        assert [scene.view.accepts(token) for token in before] == [False, False]
        after = [await scene.machine(CLIENT), await a_family(scene.families, CLIENT)]
        assert [scene.view.accepts(token) for token in after] == [True, True]


async def test_a_kill_id_that_comes_again_kills_nothing_new(scene: Scene) -> None:
    """The log is read again after a restart: the same kill is answered with its first moment."""
    entry = await scene.view.kill(SelectorKind.CLIENT, CLIENT.client_id)
    after = await a_family(scene.families, CLIENT)
    await apply_kill(scene.families.pool, entry, correlation_id="a kill", poke=lambda: None)
    await scene.view.catch_up()
    assert scene.view.accepts(after)
    assert isinstance(await present(scene.families, after.refresh_token), Minted)
