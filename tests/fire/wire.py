"""The clients' side of HTTP: every request and its answer, or the lack of one, is history."""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from revocast_contracts.selectors import jti_hash
from tests.fire.cast import App
from tests.fire.history import Got, Request, Writer, fingerprint, now
from tests.support.tokens import claims_of

PATIENCE_SECONDS = 3.0
"""A client waits no longer for an answer; then it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a client holds. `refresh` is None for a machine."""

    access: str
    refresh: str | None
    got: Got


@dataclass(slots=True)
class Known:
    """The access tokens that guards are asked about: the latest of each family and machine.

    A dead family's stays until many younger ones came, so that guards are asked beyond any bound.
    """

    most: int = 150
    living: dict[str, Tokens] = field(default_factory=dict)

    def add(self, tokens: Tokens) -> None:
        """Remember one instead of its family's former; the oldest is forgotten."""
        name = tokens.got.family or tokens.got.client
        self.living.pop(name, None)
        self.living[name] = tokens
        self._shorten()

    def keep(self, tokens: Tokens) -> None:
        """Remember one beside its family's latest: it was revoked alone."""
        self.living[tokens.got.jti_hash] = tokens
        self._shorten()

    def _shorten(self) -> None:
        while len(self.living) > self.most:
            self.living.pop(next(iter(self.living)))


class Wire:
    """Sends requests for actors and writes down what came of them."""

    def __init__(self, writer: Writer, known: Known, *, audience: str) -> None:
        self._writer = writer
        self._audience = audience
        self.known = known
        self._http = httpx.AsyncClient(
            timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_connections=200)
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def token(
        self, act: str, actor: str, where: str, app: App, grant: dict[str, str], **presented: Any
    ) -> tuple[Request, Tokens | None]:
        """One request to the token endpoint; the tokens, if it brought some."""
        before = now()
        answer, reached = await self._post(f"{where}/token", grant, app)
        tokens = _tokens(answer)
        request = Request(
            act=act,
            actor=actor,
            before=before,
            after=now(),
            status=None if answer is None else answer.status_code,
            error=_error(answer),
            where=where.rpartition(":")[2],
            client=app.client_id,
            got=None if tokens is None else tokens.got,
            reached=reached,
            **presented,
        )
        self._writer.write(request)
        if tokens is not None and self._audience in claims_of(tokens.access)["aud"]:
            self.known.add(tokens)
        return request, tokens

    async def revoke(
        self, actor: str, where: str, app: App, token: str, **presented: Any
    ) -> Request:
        """One request to the revocation endpoint."""
        before = now()
        answer, reached = await self._post(f"{where}/revoke", {"token": token}, app)
        request = Request(
            act="revoke_access" if "jti_hash" in presented else "revoke",
            actor=actor,
            before=before,
            after=now(),
            status=None if answer is None else answer.status_code,
            error=_error(answer),
            where=where.rpartition(":")[2],
            client=app.client_id,
            reached=reached,
            **presented,
        )
        self._writer.write(request)
        return request

    async def kill(
        self, actor: str, where: str, bearer: str, kind: str, value: str, key: str, selector: str
    ) -> Request:
        """One `POST /revocations`; the same key is the same kill."""
        before, answer = now(), None
        body = {"selector": {kind: value}, "reason": "under fire"}
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._http.post(
                f"{where}/revocations",
                json=body,
                params={"wait": 1},
                headers={"Authorization": f"Bearer {bearer}", "Idempotency-Key": key},
            )
        said = answer.json() if answer is not None and answer.status_code in {200, 202} else {}
        applied = said.get("applied_at")
        request = Request(
            act="kill",
            actor=actor,
            before=before,
            after=now(),
            status=None if answer is None else answer.status_code,
            where=where.rpartition(":")[2],
            kill_id=said.get("id"),
            selector=selector,
            applied_at=None if applied is None else datetime.fromisoformat(applied).timestamp(),
        )
        self._writer.write(request)
        return request

    async def _post(
        self, url: str, form: dict[str, str], app: App
    ) -> tuple[httpx.Response | None, bool]:
        """The answer, and whether the request may have been heard."""
        try:
            return await self._http.post(url, data=form, auth=(app.client_id, app.secret)), True
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return None, False
        except httpx.HTTPError:
            return None, True


def _tokens(answer: httpx.Response | None) -> Tokens | None:
    if answer is None or answer.status_code != 200:
        return None
    said = answer.json()
    claims = claims_of(said["access_token"])
    refresh = said.get("refresh_token")
    return Tokens(
        access=said["access_token"],
        refresh=refresh,
        got=Got(
            jti_hash=jti_hash(claims["jti"]),
            iat=claims["iat"],
            exp=claims["exp"],
            subject=claims["sub"],
            client=claims["client_id"],
            family=claims.get("family"),
            generation=None if refresh is None else int(refresh.split(".")[2]),
            session=claims.get("sid"),
            successor=None if refresh is None else fingerprint(refresh),
        ),
    )


def _error(answer: httpx.Response | None) -> str | None:
    if answer is None or answer.status_code < 400:
        return None
    with contextlib.suppress(ValueError):
        said = answer.json()
        return str(said.get("error") or said.get("title"))
    return "not JSON"
