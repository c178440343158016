"""An authorization request, as it travels in a sealed field from page to page."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from issuer.domain.authorization import AuthorizationRequest

_SETS = ("scope", "prompt")


def pack(request: AuthorizationRequest) -> dict[str, Any]:
    """A request -> JSON members."""
    return {
        name: sorted(value) if name in _SETS else value for name, value in asdict(request).items()
    }


def unpack(members: dict[str, Any]) -> AuthorizationRequest:
    """JSON members that we sealed -> the request."""
    sets = {name: frozenset(members[name]) for name in _SETS}
    return AuthorizationRequest(**{**members, **sets})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a consent page asks: for which request, whom, about what."""

    request: AuthorizationRequest
    session: UUID
    scope: frozenset[str]

    def pack(self) -> dict[str, Any]:
        """The question -> JSON members."""
        return {
            "request": pack(self.request),
            "session": str(self.session),
            "scope": sorted(self.scope),
        }

    @classmethod
    def unpack(cls, members: dict[str, Any]) -> "Question":
        """JSON members that we sealed -> the question."""
        return cls(
            request=unpack(members["request"]),
            session=UUID(members["session"]),
            scope=frozenset(members["scope"]),
        )
