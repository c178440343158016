"""Where the parts of a running system listen: loopback only, ports chosen, remembered by nobody."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from devstack.errors import DevstackError
from devstack.ports import LOOPBACK, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports of the four HTTP servers."""

    issuer: int = 8400
    revocation: int = 8401
    audit: int = 8402
    sample_api: int = 8403

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Ports":
        """The defaults, or what `REVOCAST_<SERVICE>_PORT` says.

        Raises:
            DevstackError: one of them is not a port.
        """
        given = {}
        for name in cls.__slots__:
            variable = f"REVOCAST_{name.upper()}_PORT"
            value = environment.get(variable)
            if value is None:
                continue
            if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
                raise DevstackError(f"{variable} is not a port: choose a number from 1 to 65535")
            given[name] = int(value)
        return cls(**given)

    @classmethod
    def free(cls) -> "Ports":
        """Four ports that were free a moment ago, for tests."""
        chosen: set[int] = set()
        while len(chosen) < len(cls.__slots__):
            chosen.add(free_port())
        return cls(**dict(zip(cls.__slots__, chosen, strict=True)))

    def items(self) -> dict[str, int]:
        """Port by name of the server."""
        return {name: getattr(self, name) for name in type(self).__slots__}

    def urls(self) -> dict[str, str]:
        """Base URL by name of the server."""
        return {name: f"http://{LOOPBACK}:{port}" for name, port in self.items().items()}
