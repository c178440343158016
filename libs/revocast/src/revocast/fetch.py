"""Small JSON documents from the issuer over HTTP: bounded in size and time, never redirected."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

LARGEST_DOCUMENT = 256 * 1024
"""Bytes. A set of 64 RSA keys of 4096 bits has about 50 KiB."""
FETCH_LIMIT = timedelta(seconds=5)
"""For one whole document, connecting included: a request may be waiting for it."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class FetchError(Exception):
    """A document could not be had, or is not what it has to be. `str()` says why."""


def metadata_url(issuer: str) -> str:
    """Where an issuer's metadata stands (RFC 8414 section 3.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}"


def check_issuer(issuer: str) -> None:
    """Refuse what can be no issuer identifier (RFC 8414 section 2), but allow plain http.

    Raises:
        ValueError: not an absolute http(s) URL, or it has user info, query or fragment.
    """
    parts = urlsplit(issuer)
    if not _is_plain_http(parts) or parts.query or parts.fragment:
        raise ValueError("an issuer is an http(s) URL without user info, query and fragment")


class Issuer:
    """Fetches the JWK Set of one issuer, found through its metadata unless `jwks_uri` is given."""

    def __init__(self, issuer: str, jwks_uri: str | None) -> None:
        self._issuer = issuer
        self._jwks_uri = jwks_uri
        self._client: httpx.AsyncClient | None = None

    async def jwks(self) -> dict[str, Any]:
        """The issuer's JWK Set as it stands now.

        Raises:
            FetchError: it could not be had.
        """
        return await self._json(self._jwks_uri or await self._discover())

    async def close(self) -> None:
        """Give up the connections; they come back when needed."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _discover(self) -> str:
        metadata = await self._json(metadata_url(self._issuer))
        if metadata.get("issuer") != self._issuer:
            raise FetchError("the metadata names another issuer")
        uri = metadata.get("jwks_uri")
        if not isinstance(uri, str) or not _is_plain_http(urlsplit(uri)):
            raise FetchError("the metadata has no usable jwks_uri")
        if self._issuer.startswith("https:") and not uri.startswith("https:"):
            raise FetchError("the jwks_uri is not https")
        return uri

    async def _json(self, url: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(FETCH_LIMIT.total_seconds()):
                body = await self._body(url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise FetchError(f"{urlsplit(url).path}: {type(error).__name__}") from error
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise FetchError(f"{urlsplit(url).path} is not JSON") from None
        if not isinstance(document, dict):
            raise FetchError(f"{urlsplit(url).path} is not a JSON object")
        return document

    async def _body(self, url: str) -> bytes:
        body = bytearray()
        async with self._connected().stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                raise FetchError(f"{urlsplit(url).path} answered {response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LARGEST_DOCUMENT:
                    raise FetchError(f"{urlsplit(url).path} is larger than {LARGEST_DOCUMENT} B")
        return bytes(body)

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            local = urlsplit(self._jwks_uri or self._issuer).hostname in _LOOPBACK
            self._client = httpx.AsyncClient(
                timeout=FETCH_LIMIT.total_seconds(),
                follow_redirects=False,
                trust_env=not local,  # a proxy of the environment has no way to this machine
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._client


def _is_plain_http(parts: SplitResult) -> bool:
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
