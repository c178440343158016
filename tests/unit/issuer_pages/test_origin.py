import pytest

from issuer.domain.authorization import Origin
from issuer.domain.origin import client_address, origin
from revocast_contracts.selectors import keyed_hash

KEY = b"k" * 32


def test_hashes_are_those_of_the_contracts() -> None:
    """The keyed hashes are the ones that every other part of the system computes."""
    made = origin("192.0.2.77", "Agent/1", KEY)
    assert made.ip_hash == keyed_hash("address:192.0.2.77", KEY)
    assert made.user_agent_hash == keyed_hash("user_agent:Agent/1", KEY)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("not an address", None),
        ("", None),
        (None, None),
    ],
)
def test_only_the_coarse_network_is_readable(address: str | None, network: str | None) -> None:
    """An IPv4 address shows its /24, an IPv6 address its /48, anything else nothing."""
    assert origin(address, None, KEY).network == network


def test_two_spellings_of_one_address_have_one_hash() -> None:
    """An address counts as itself, however the socket writes it."""
    assert origin("::ffff:192.0.2.7", None, KEY) == origin("192.0.2.7", None, KEY)


def test_what_is_unknown_is_none() -> None:
    """A request without an address and a user agent has an empty origin."""
    assert origin(None, None, KEY) == Origin()


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        ("203.0.113.1", 0, "10.0.0.9"),
        (None, 1, "10.0.0.9"),
        ("203.0.113.1", 1, "203.0.113.1"),
        ("6.6.6.6, 203.0.113.1", 1, "203.0.113.1"),
        ("6.6.6.6, 203.0.113.1, 10.0.0.8", 2, "203.0.113.1"),
        ("10.0.0.8", 2, "10.0.0.9"),
    ],
)
def test_a_caller_cannot_choose_its_address(
    forwarded: str | None, trusted: int, address: str
) -> None:
    """Only what trusted proxies appended is believed, counted from the right."""
    assert client_address("10.0.0.9", forwarded, trusted_proxies=trusted) == address
