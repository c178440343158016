"""TCP ports on loopback: free ones, and the clear line when one is taken."""

import random
import socket

from devstack.errors import DevstackError

LOOPBACK = "127.0.0.1"
FREE_PORTS = range(20000, 32000)
"""Below the range that systems hand out for outgoing connections: nobody takes one meanwhile."""


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that was free a moment ago.

    Raises:
        DevstackError: none was found.
    """
    for port in random.sample(FREE_PORTS, 200):
        if is_free(port):
            return port
    raise DevstackError("no free TCP port on 127.0.0.1; end some programs and start again")


def require_free(port: int, what: str, *, choose: str) -> None:
    """Check that a chosen port can be had; `choose` says how another is chosen.

    Raises:
        DevstackError: it is in use.
    """
    if not is_free(port):
        raise DevstackError(
            f"port {port} is in use, so {what} cannot start: end what listens there, or {choose}"
        )
