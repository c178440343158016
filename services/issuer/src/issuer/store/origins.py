"""Where a request came from, as events tell it."""

from issuer.domain.authorization import Origin


def members(origin: Origin) -> dict[str, str | None]:
    """As `asdict` has them, without its deep copies: this runs once a token."""
    return {
        "ip_hash": origin.ip_hash,
        "network": origin.network,
        "user_agent_hash": origin.user_agent_hash,
    }
