import string
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.authorization import AuthorizationRequest
from issuer.pages.carried import Question, pack, unpack
from issuer.pages.sealing import LIFETIME, Sealer

KEY = b"c" * 32
REQUEST = AuthorizationRequest(
    client_id="web",
    redirect_uri="https://app.example/cb",
    redirect_uri_given=True,
    scope=frozenset({"openid", "orders.read"}),
    resource="https://api.example",
    state="s",
    nonce=None,
    code_challenge="c" * 43,
    prompt=frozenset({"consent"}),
    max_age=5,
    login_hint=None,
)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def test_the_same_browser_opens_what_was_sealed_for_it() -> None:
    """A field comes back as what it was."""
    assert Sealer(KEY).open("p", "b", Sealer(KEY).seal("p", "b", {"a": 1})) == {"a": 1}


@pytest.mark.parametrize(
    ("key", "purpose", "browser"),
    [(b"d" * 32, "p", "b"), (KEY, "q", "b"), (KEY, "p", "other")],
    ids=["key", "purpose", "browser"],
)
def test_a_field_is_good_for_one_use_in_one_browser(key: bytes, purpose: str, browser: str) -> None:
    """Another key, another form and another browser each make a field worthless."""
    assert Sealer(key).open(purpose, browser, Sealer(KEY).seal("p", "b", {})) is None


def test_a_field_expires() -> None:
    """A page that stayed open for longer than a field lives has to be made again."""
    clock = Clock()
    sealer = Sealer(KEY, clock=clock)
    field = sealer.seal("p", "b", {})
    clock.now += LIFETIME.total_seconds() - 1
    assert sealer.open("p", "b", field) == {}
    clock.now += 1
    assert sealer.open("p", "b", field) is None


SEALED = Sealer(KEY).seal("p", "b", {"a": "b"})
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@given(at=st.integers(0, len(SEALED.rstrip("=")) - 2), shift=st.integers(1, len(ALPHABET) - 1))
def test_no_bit_can_be_changed(at: int, shift: int) -> None:
    """Changing any one character makes a field worthless."""
    other = ALPHABET[(ALPHABET.index(SEALED[at]) + shift) % len(ALPHABET)]
    assert Sealer(KEY).open("p", "b", SEALED[:at] + other + SEALED[at + 1 :]) is None


@given(st.text(max_size=200))
def test_anything_else_is_worthless(text: str) -> None:
    """No text that we did not make opens, and none crashes."""
    assert Sealer(KEY).open("p", "b", text) is None


def test_nothing_shows() -> None:
    """A field tells its bearer nothing, and two of the same content differ."""
    first, second = (Sealer(KEY).seal("p", "b", pack(REQUEST)) for _ in range(2))
    assert first != second
    assert "app.example" not in first


def test_a_request_survives_the_journey() -> None:
    """What was validated is what comes back, sets included."""
    question = Question(request=REQUEST, session=UUID(int=7), scope=frozenset({"openid"}))
    sealer = Sealer(KEY)
    opened = sealer.open("p", "b", sealer.seal("p", "b", question.pack()))
    assert opened is not None
    assert Question.unpack(opened) == question
    assert unpack(pack(REQUEST)) == REQUEST
