import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from oauth import errors
from oauth.errors import InvalidClient, InvalidRequest, OAuthError, TooManyRequests

CLASSES = sorted(
    {each for each in vars(errors).values() if isinstance(each, type)} - {OAuthError, type},
    key=lambda each: each.__name__,
)
CODES = {
    "access_denied", "consent_required", "invalid_client", "invalid_grant", "invalid_request",
    "invalid_scope", "invalid_target", "login_required", "request_not_supported",
    "request_uri_not_supported", "server_error", "temporarily_unavailable", "unauthorized_client",
    "unsupported_grant_type", "unsupported_response_type", "unsupported_token_type",
}  # fmt: skip
SERVICES = Path(__file__).parents[3] / "services"


def made(error: type[OAuthError]) -> OAuthError:
    if error is TooManyRequests:
        return TooManyRequests("seen by the log only", retry_after=7)
    return error("seen by the log only")


def test_the_codes_are_the_rfcs() -> None:
    """Every code we know, and no other."""
    ours = [each for each in CLASSES if issubclass(each, OAuthError)]
    assert {each.code for each in ours} == CODES


def named_by_services() -> Iterator[str]:
    """Every name that a service takes from `oauth.errors`."""
    for path in SERVICES.glob("*/src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module="oauth.errors", names=names):
                    yield from (each.name for each in names)
                case ast.Attribute(value=ast.Name(id="errors"), attr=name):
                    yield name


def test_every_error_has_a_use() -> None:
    """No class stands here for an error that no service answers with."""
    assert {each.__name__ for each in CLASSES} <= set(named_by_services())


@pytest.mark.parametrize("error", CLASSES, ids=lambda each: each.__name__)
def test_descriptions_can_be_sent(error: type[OAuthError]) -> None:
    """A description has the characters that RFC 6749 allows, and none of the detail."""
    raised = made(error)
    assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", raised.description)
    assert raised.detail == "seen by the log only"
    assert raised.detail not in raised.description
    assert 400 <= raised.status < 600


def test_a_401_names_a_scheme() -> None:
    """Failed client authentication offers Basic (RFC 6749 5.2, RFC 9110 15.5.2)."""
    assert InvalidClient().headers == {"WWW-Authenticate": 'Basic realm="revocast"'}
    assert InvalidClient().status == 401


def test_slowing_down_says_for_how_long() -> None:
    """429 and 503 carry Retry-After in seconds."""
    assert TooManyRequests(retry_after=7).headers == {"Retry-After": "7"}
    assert errors.TemporarilyUnavailable().headers == {"Retry-After": "1"}


def test_a_reason_may_be_public() -> None:
    """What the caller can mend is told to it; the detail stays ours."""
    error = InvalidRequest("who it was", why="The parameter code is missing.")
    assert (error.why, error.detail) == ("The parameter code is missing.", "who it was")
