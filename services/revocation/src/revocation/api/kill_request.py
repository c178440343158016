"""`POST /revocations` taken apart: everything is bounded before it is looked at."""

import json
import re
from collections import Counter
from typing import Any, Self
from uuid import UUID

import pydantic
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import ErrorDetails

from revocast_contracts.selectors import Selector, SelectorKind, jti_hash
from servicekit.problems import Problem

LARGEST_BODY = 16 * 1024
"""Bytes; the app refuses more before anybody reads it."""

LONGEST_VALUE = 512
LONGEST_REASON = 500

TEXT = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""No control characters, of C0 or C1: Postgres stores no NUL, and no reason drives a terminal."""

_WAIT_PREFERENCE = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?(?:$|[,;\s])", re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class SelectorBody(BaseModel):
    """Exactly one member: what is to die."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: UUID | None = None
    session: UUID | None = None
    subject: str | None = Field(default=None, pattern=TEXT, max_length=LONGEST_VALUE)
    client: str | None = Field(default=None, pattern=TEXT, max_length=LONGEST_VALUE)
    jti: str | None = Field(default=None, pattern=TEXT, max_length=LONGEST_VALUE)
    issuer: str | None = Field(
        default=None,
        pattern=TEXT,
        max_length=LONGEST_VALUE,
        description="The issuer's URL: everything that was ever issued.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("exactly one selector is needed")
        return self

    def selector(self) -> Selector:
        """The selector with its value as tokens carry it; a `jti` becomes its hash at once."""
        ((kind, value),) = self.model_dump(exclude_none=True, mode="json").items()
        if kind == SelectorKind.JTI:
            return Selector(kind=SelectorKind.JTI, value=jti_hash(value))
        if kind == SelectorKind.SUBJECT:
            return Selector(kind=SelectorKind.SUBJECT, value=canonical_subject(value))
        return Selector(kind=SelectorKind(kind), value=value)


class KillBody(BaseModel):
    """The body of `POST /revocations`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    selector: SelectorBody
    reason: str = Field(pattern=TEXT, max_length=LONGEST_REASON)


def canonical_subject(subject: str) -> str:
    """A subject as tokens write it: ours are lower-case UUIDs; a client is its own subject."""
    try:
        return str(UUID(subject)) if len(subject) == len(str(UUID(int=0))) else subject
    except ValueError:
        return subject


async def read_kill(request: Request) -> KillBody:
    """The body of a request.

    Raises:
        Problem: 415, or 422 without an echo of what was sent.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(415, "Send application/json.")
    body = await request.body()
    try:
        read = KillBody.model_validate_json(body)
    except pydantic.ValidationError as error:
        raise _invalid(_without_input(error)) from None
    json.loads(body, object_pairs_hook=_with_single_members)
    return read


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` header, as sent.

    Raises:
        Problem: 400, it came twice or is not 1 to 255 visible ASCII characters.
    """
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        detail = "Invalid Idempotency-Key: send one key of 1 to 255 visible ASCII characters."
        raise Problem(400, detail)
    return keys[0]


def wait_seconds(request: Request, wait: float | None, *, usual: float, longest: float) -> float:
    """How long to wait: the query's `wait`, else `Prefer: wait` (RFC 7240 4.3), else the usual."""
    if wait is None:
        preferred = _WAIT_PREFERENCE.search(",".join(request.headers.getlist("prefer")))
        wait = float(preferred[1]) if preferred else usual
    return min(wait, longest)


def _with_single_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members are known by now; which of two was meant nobody knows (RFC 8259, 4).

    Raises:
        Problem: 422, a member came more than once.
    """
    single = dict(members)
    for name, times in Counter(name for name, _ in members).items():
        if times > 1:
            raise _invalid([{"where": name, "why": "came more than once"}])
    return single


def _invalid(errors: list[dict[str, Any]]) -> Problem:
    return Problem(422, "The request is not valid.", errors=errors)


def _without_input(error: pydantic.ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [{"where": ".".join(_where(one)), "why": one["msg"]} for one in found[:10]]


def _where(error: ErrorDetails) -> list[str]:
    """The members that lead to an error; an unknown one is the sender's word and left out."""
    known = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    return [str(part) for part in known]
