"""Somebody with all that was stolen: every string and value in it, tried at every door."""

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import httpx

from cli.demo import Demo

_WORD = re.compile(r"[^\s\"'{}\[\](),\\]{8,400}")
_HEX = re.compile(r"x?((?:[0-9a-f]{2}){16,})")
_KEY = re.compile(r"[A-Za-z0-9_-]{43}|[A-Za-z0-9+/]{43}=")
AT_ONCE = 12


@dataclass(slots=True)
class Loot:
    """`words` are strings as they stand; `values` are what is 32 bytes long in any writing."""

    words: set[str] = field(default_factory=set)
    values: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Loot":
        """All of it; what is written in hex or base64 is read, and what was JSON in there too."""
        loot = cls()
        for text in texts:
            loot._take(text)
        loot.words |= {_encoded(value) for value in loot.values}
        return loot

    def _take(self, text: str) -> None:
        for word in _WORD.findall(text):
            found = _HEX.fullmatch(word)
            if found is not None:
                self._take_bytes(bytes.fromhex(found[1]))
            if word.isascii() and len(word) <= 400:
                self.words.add(word.removeprefix("x") if found else word)
            if _KEY.fullmatch(word):
                self._take_bytes(_decoded(word))

    def _take_bytes(self, value: bytes) -> None:
        if len(value) == 32:
            self.values.add(value)
        elif value.startswith(b"{"):
            self._take(value.decode(errors="replace"))


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(word: str) -> bytes:
    try:
        return urlsafe_b64decode(word.replace("+", "-").replace("/", "_").rstrip("=") + "=")
    except Base64Error:
        return b""


@dataclass(slots=True)
class Thief:
    """Tries things at a running system; `opened` is what any door let through, and must be empty.

    The thief is even a client in good standing: only what is to be stolen is missing.
    """

    demo: Demo
    http: httpx.AsyncClient
    session_cookie: str
    tried: int = 0
    opened: list[str] = field(default_factory=list)

    async def try_all(self, words: Iterable[str]) -> None:
        """Every word at every door."""
        await self._together(request for word in words for request in self._requests(word))

    async def try_refresh_tokens(self, tokens: Iterable[str]) -> None:
        """Made-up refresh tokens, as their rightful client."""
        await self._together(("refresh token", self._refreshing(token)) for token in tokens)

    async def refresh(self, token: str) -> httpx.Response:
        """One refresh."""
        return await self._send(self._refreshing(token))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """A kept connection may be closed just when it is used again: once more, as clients do."""
        try:
            return await self.http.send(request)
        except httpx.RemoteProtocolError:
            return await self.http.send(request)

    def _requests(self, word: str) -> Iterator[tuple[str, httpx.Request]]:
        web, issuer = self.demo.clients["web"], self.demo.issuer
        api = self.demo.clients["api"]
        bearer = {"Authorization": f"Bearer {word}"}
        yield "refresh token", self._refreshing(word)
        code = {
            "grant_type": "authorization_code",
            "code": word,
            "redirect_uri": web.redirect_uri or "",
            "code_verifier": "v" * 43,
        }
        yield "code", self._post("token", code, (web.client_id, web.client_secret or ""))
        for client_id in ("machine", "web2"):
            nothing = {"token": "nothing"}  # any client that is who it says is answered 200
            yield "client secret", self._post("revoke", nothing, (client_id, word))
        for url in (f"{self.demo.urls['sample_api']}/orders", f"{issuer}/userinfo"):
            yield "access token", self.http.build_request("GET", url, headers=bearer)
        asked = (api.client_id, api.client_secret or "")
        yield "introspected", self._post("introspect", {"token": word}, asked)
        yield (
            "cookie",
            self.http.build_request(
                "GET",
                f"{issuer}/authorize",
                params={
                    "response_type": "code",
                    "client_id": web.client_id,
                    "redirect_uri": web.redirect_uri or "",
                    "scope": "orders.read",
                    "prompt": "none",
                    "code_challenge": "c" * 43,
                    "code_challenge_method": "S256",
                },
                headers={"Cookie": f"{self.session_cookie}={word}"},
            ),
        )

    def _refreshing(self, token: str) -> httpx.Request:
        web = self.demo.clients["web"]
        grant = {"grant_type": "refresh_token", "refresh_token": token}
        return self._post("token", grant, (web.client_id, web.client_secret or ""))

    def _post(self, path: str, form: dict[str, str], auth: tuple[str, str]) -> httpx.Request:
        request = self.http.build_request("POST", f"{self.demo.issuer}/{path}", data=form)
        flow = httpx.BasicAuth(*auth).auth_flow(request)
        return next(flow)

    async def _together(self, requests: Iterable[tuple[str, httpx.Request]]) -> None:
        waiting = iter(requests)

        async def one_by_one() -> None:
            for kind, request in waiting:
                self._look(kind, await self._send(request))

        await asyncio.gather(*(one_by_one() for _ in range(AT_ONCE)))

    def _look(self, kind: str, response: httpx.Response) -> None:
        self.tried += 1
        refused = {
            "introspected": response.text == '{"active":false}',
            "cookie": "error=login_required" in response.headers.get("location", ""),
            "access token": response.status_code in {400, 401},
        }
        if not refused.get(kind, response.status_code in {400, 401, 429}):
            self.opened.append(f"{kind}: {response.status_code} {response.request.url}")
