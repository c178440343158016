"""Where a request came from, reduced to what events may carry: keyed hashes and a network."""

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from issuer.domain.authorization import Origin

LONGEST_USER_AGENT = 1024
REMEMBERED = 4096
"""Callers whose hashes are at hand: most requests come from few of them, again and again."""


def client_address(
    peer: str | None, forwarded_for: str | None, *, trusted_proxies: int
) -> str | None:
    """The address that our outermost trusted proxy saw; with no trusted proxy, the peer's.

    Each proxy appends the address it was called from to `X-Forwarded-For`, so with n trusted ones
    the n-th entry from the right is the first that a caller can't make up.
    """
    if trusted_proxies == 0 or forwarded_for is None:
        return peer
    hops = [hop.strip() for hop in forwarded_for.split(",")]
    return hops[-trusted_proxies] if len(hops) >= trusted_proxies else peer


@lru_cache(maxsize=REMEMBERED)
def origin(address: str | None, user_agent: str | None, key: bytes) -> Origin:
    """An address, a user agent and PERSONAL_DATA_HASH_KEY -> what may be stored of them.

    What is no IP address (a Unix socket's peer) counts as unknown.
    """
    parsed = _parse(address)
    return Origin(
        ip_hash=_keyed_hash(f"address:{parsed}", key) if parsed else None,
        network=_network(parsed) if parsed else None,
        user_agent_hash=(
            _keyed_hash(f"user_agent:{user_agent[:LONGEST_USER_AGENT]}", key)
            if user_agent
            else None
        ),
    )


def _parse(address: str | None) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _network(address: IPv4Address | IPv6Address) -> str:
    prefix = 24 if isinstance(address, IPv4Address) else 48
    return str(ip_network((address.packed, prefix), strict=False))


def _keyed_hash(value: str, key: bytes) -> str:
    """As `revocast_contracts.selectors.keyed_hash`; a test holds the two together."""
    digest = hmac.digest(key, value.encode(errors="replace"), "sha256")[:16]
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
