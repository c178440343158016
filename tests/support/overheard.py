"""What must stay secret of a story: all that went over the wire, and what is kept in `secrets/`."""

import json
from base64 import b64decode, b64encode
from binascii import Error
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from cli.demo import Demo

ANSWERED = ("access_token", "refresh_token", "id_token")
POSTED = ("code", "code_verifier", "refresh_token", "password", "client_secret")
SHORTEST = 16
"""Characters: whatever is shorter would be found by chance, and is no secret of ours."""


class Overheard:
    """Tokens, codes, verifiers, cookies, passwords, client secrets and their Basic form."""

    def __init__(self, demo: Demo) -> None:
        self.secrets = {demo.user.password, demo.operator.password}
        for client in demo.clients.values():
            if client.client_secret:
                basic = f"{client.client_id}:{client.client_secret}".encode()
                self.secrets |= {client.client_secret, b64encode(basic).decode()}

    def client(self) -> httpx.Client:
        """A client whose requests and answers are listened to."""
        return httpx.Client(
            timeout=10, event_hooks={"request": [self._sent], "response": [self._answered]}
        )

    def _sent(self, request: httpx.Request) -> None:
        if request.headers.get("content-type") == "application/x-www-form-urlencoded":
            form = parse_qs(request.content.decode())
            self.secrets |= {value for name in POSTED for value in form.get(name, [])}
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme in {"Basic", "Bearer"}:
            self.secrets.add(credentials)

    def _answered(self, response: httpx.Response) -> None:
        self.secrets |= {value for value in response.cookies.values() if value}
        query = parse_qs(urlsplit(response.headers.get("location", "")).query)
        self.secrets |= set(query.get("code", []))
        response.read()
        if response.headers.get("content-type", "").startswith("application/json"):
            body: Any = response.json()
            if isinstance(body, dict):
                self.secrets |= {body[name] for name in ANSWERED if name in body}


def kept(secrets: Path) -> set[str]:
    """All that the files of `secrets/` hold: each whole, and each value of those with several."""
    found: set[str] = set()
    for file in secrets.iterdir():
        text = file.read_text().strip()
        found.add(text)
        if file.suffix == ".json":
            found |= set(json.loads(text).values())
        elif ":" in text and "//" not in text:  # a key behind its id
            found.add(text.partition(":")[2])
    return found


def needles(secrets: set[str]) -> set[bytes]:
    """Every form of a secret that gives it away.

    As it is, each long piece between dots (a signature alone is a leak), in hex, in Base64, as
    part of a URL; and the bytes that a key in Base64 stands for.
    """
    assert min(map(len, secrets)) >= SHORTEST
    found: set[bytes] = set()
    for secret in secrets:
        for piece in (secret, *(part for part in secret.split(".") if len(part) >= 40)):
            raw = piece.encode()
            found |= {raw, raw.hex().encode(), b64encode(raw).rstrip(b"=")}
            found |= {quote(piece, safe="").encode(), *_key(piece)}
    return found


def _key(text: str) -> set[bytes]:
    try:
        key = b64decode(text, validate=True)
    except Error:
        return set()
    return {key} if len(key) == 32 else set()
