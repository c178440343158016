import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revocast.claims import Claims
from revocast.revocations import Revocations
from revocast_contracts.revocations import EntryState, RevocationEntry
from revocast_contracts.selectors import SelectorKind, jti_hash
from tests.unit.revocast.support import ISSUER, NOW, HandClock, claims, entry


def held(*said: RevocationEntry, clock: HandClock | None = None) -> Revocations:
    revocations = Revocations((clock or HandClock()).clock())
    for one in said:
        revocations.add(one)
    return revocations


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SelectorKind.JTI, jti_hash("token-1")),
        (SelectorKind.FAMILY, "family-1"),
        (SelectorKind.SESSION, "session-1"),
        (SelectorKind.SUBJECT, "subject-hash-1"),
        (SelectorKind.CLIENT, "web"),
        (SelectorKind.KEY, "key-1"),
        (SelectorKind.ISSUER, ISSUER),
    ],
)
def test_every_kind_of_selector_denies(kind: SelectorKind, value: str) -> None:
    """An entry of each kind denies the token it selects, and no other."""
    revocations = held(entry(kind, value, expires_at=NOW + 60))
    assert revocations.denies(claims()) is not None
    assert held(entry(kind, value + "x", expires_at=NOW + 60)).denies(claims()) is None


def test_every_kind_is_covered() -> None:
    """A selector of the contract that the SDK does not know could never deny anything."""
    kinds = {"jti", "family", "session", "subject", "client", "key", "issuer"}
    assert set(SelectorKind) == kinds


def test_a_client_of_its_own_has_no_family_to_deny() -> None:
    """Absent claims match no entry, not even one whose value is the word for nothing."""
    own = claims(family=None, sid=None, subject_hash=None)
    for kind in (SelectorKind.FAMILY, SelectorKind.SESSION, SelectorKind.SUBJECT):
        assert held(entry(kind, "None", expires_at=NOW + 60)).denies(own) is None


@pytest.mark.parametrize(("iat", "denied"), [(99, True), (100, True), (101, False)])
def test_the_second_of_not_before_is_denied(iat: int, denied: bool) -> None:
    """A token of the same whole second as the kill is denied, one of the next is not."""
    revocations = held(entry(not_before=100.9, expires_at=NOW + 60))
    assert (revocations.denies(claims(iat=iat)) is not None) is denied


def test_a_pending_entry_denies_the_future_too() -> None:
    """Until the issuer has applied it, an entry kills its selector whatever the iat."""
    revocations = held(entry(pending=True, not_before=100, expires_at=NOW + 60))
    assert revocations.denies(claims(iat=NOW + 10)) is not None


def test_an_applied_entry_replaces_its_pending_one() -> None:
    """Whoever signs in again after the kill was applied is let in, in either order of arrival."""
    pending = entry(pending=True, expires_at=NOW + 900)
    applied = entry(not_before=NOW, expires_at=NOW + 910)
    for said in ((pending, applied), (applied, pending), (pending, applied, pending)):
        revocations = held(*said)
        assert revocations.denies(claims(iat=NOW)) is not None
        assert revocations.denies(claims(iat=NOW + 1)) is None
        assert len(revocations) == 1


def test_an_applied_entry_that_comes_expired_still_ends_its_pending_one() -> None:
    """The answer to a kill took longer than tokens live: who signed in since is let in at once."""
    pending = entry(pending=True, expires_at=NOW + 900)
    applied = entry(not_before=NOW - 1000, expires_at=NOW - 90)
    assert held(pending).denies(claims(iat=NOW)) is not None
    revocations = held(pending, applied)
    assert revocations.denies(claims(iat=NOW)) is None
    assert len(revocations) == 0
    other = entry(pending=True, expires_at=NOW + 900, entry_id="another kill")
    assert held(pending, other, applied).denies(claims(iat=NOW)) is not None


def test_a_pending_entry_stands_beside_an_applied_one_of_another_kill() -> None:
    """A second kill of the same selector denies at once, and goes without taking the first."""
    clock = HandClock()
    first = entry(entry_id="a", not_before=NOW, expires_at=NOW + 910)
    second = entry(entry_id="b", pending=True, expires_at=NOW + 60)
    revocations = held(first, second, clock=clock)
    assert revocations.denies(claims(iat=NOW + 50)) is not None
    clock.pass_(60)
    assert revocations.denies(claims(iat=NOW + 50)) is None
    assert revocations.denies(claims(iat=NOW)) is not None


def test_an_entry_leaves_when_it_expires_and_not_before() -> None:
    """Memory is given back at the expiry, and the entry denies until that very moment."""
    clock = HandClock()
    revocations = held(entry(expires_at=NOW + 60), entry(expires_at=NOW + 30), clock=clock)
    clock.pass_(59.9)
    revocations.forget()
    assert revocations.denies(claims()) is not None
    clock.pass_(0.1)
    assert revocations.denies(claims()) is None
    revocations.forget()
    assert len(revocations) == 0


def test_a_clock_that_goes_back_is_noticed() -> None:
    """What was forgotten under a wrong clock is known to be missing once the clock is right."""
    clock = HandClock(wall=NOW + 3600)
    revocations = held(entry(expires_at=NOW + 60), clock=clock)
    assert len(revocations) == 0
    assert not revocations.lost_by_clock()
    clock.wall = NOW
    assert revocations.lost_by_clock()
    revocations.refill()
    revocations.add(entry(expires_at=NOW + 60))
    assert not revocations.lost_by_clock()
    assert revocations.denies(claims()) is not None


# The model: a plain list of everything ever said, looked through from the start each time.


@dataclass
class Model:
    said: list[RevocationEntry]

    def denies(self, token: Claims, now: float) -> bool:
        return any(self._kills(one, token, now) for one in self._final(now))

    def _final(self, now: float) -> list[RevocationEntry]:
        """Of one entry, what was said applied counts; of what is alike, each counts."""
        applied = {one.entry_id for one in self.said if one.state is EntryState.APPLIED}
        return [
            one
            for one in self.said
            if now < one.expires_at.timestamp()
            and (one.state is EntryState.APPLIED or one.entry_id not in applied)
        ]

    def _kills(self, one: RevocationEntry, token: Claims, now: float) -> bool:
        selected = one.selector.value == token.family
        if one.state is EntryState.PENDING or one.not_before is None:
            return selected
        return selected and token.iat <= math.floor(one.not_before.timestamp())


@st.composite
def an_entry(draw: st.DrawFn) -> RevocationEntry:
    """Of one entry id, all applied copies are alike and live longest, as the contract says."""
    family = draw(st.sampled_from(["family-1", "family-2"]))
    number = draw(st.integers(0, 3))
    if draw(st.booleans()):
        expires_at = NOW + draw(st.integers(1, 40))
        return entry(
            value=family, entry_id=f"{family}/{number}", pending=True, expires_at=expires_at
        )
    not_before = None if number == 3 else NOW + number * 7 + 0.5
    return entry(
        value=family,
        entry_id=f"{family}/{number}",
        not_before=not_before,
        expires_at=NOW + 50 + number * 5,
    )


@given(
    said=st.lists(an_entry(), max_size=12).flatmap(
        lambda entries: st.permutations(entries + entries[:3])
    ),
    later=st.integers(0, 80),
    iat=st.integers(-5, 30),
)
def test_revocations_agree_with_the_model(
    said: list[RevocationEntry], later: int, iat: int
) -> None:
    """Pending, applied, doubled and reordered: the answer is that of the plain list."""
    clock = HandClock()
    revocations = held(*said, clock=clock)
    clock.pass_(later)
    token = claims(iat=NOW + iat)
    expected = Model(said).denies(token, clock.wall)
    assert (revocations.denies(token) is not None) is expected
    revocations.forget()
    assert (revocations.denies(token) is not None) is expected


@given(said=st.lists(an_entry(), max_size=10), more=st.integers(0, 70))
def test_nothing_is_kept_beyond_its_expiry(said: list[RevocationEntry], more: int) -> None:
    """After forgetting, only entries that still deny are held: at most one per entry id."""
    clock = HandClock()
    revocations = held(*said, clock=clock)
    clock.pass_(more)
    revocations.forget()
    living = {one.entry_id for one in said if one.expires_at.timestamp() > clock.wall}
    assert len(revocations) <= len(living)
