"""Which Kafka nodes form one cluster: its id, its controllers' ports, how many copies it keeps."""

import base64
import secrets
from dataclasses import dataclass
from typing import Self

from devstack.ports import LOOPBACK, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """The controllers of a cluster on loopback; the n-th port belongs to the node with id n."""

    cluster: str
    ports: tuple[int, ...]

    @classmethod
    def of(cls, nodes: int) -> Self:
        """A new one of so many nodes.

        Raises:
            DevstackError: no ports are free.
        """
        # The first bit is 0, lest it begin with a hyphen, which the tool takes for an option.
        random = secrets.token_bytes(16)
        name = base64.urlsafe_b64encode(bytes([random[0] & 127]) + random[1:]).decode()[:22]
        return cls(cluster=name, ports=tuple(free_port() for _ in range(nodes)))

    def settings(self, node: int, *, serves_at: str) -> dict[str, str]:
        """What a node has to be told of the others; `serves_at`: host and port for clients."""
        voters = [f"{number}@{LOOPBACK}:{port}" for number, port in enumerate(self.ports, start=1)]
        controls_at = f"{LOOPBACK}:{self.ports[node - 1]}"
        copies = str(len(self.ports))
        acknowledged = str(len(self.ports) // 2 + 1)
        return {
            "node.id": str(node),
            # A static quorum, not --standalone, whose records would pin the controller's port.
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"PLAINTEXT://{serves_at},CONTROLLER://{controls_at}",
            "advertised.listeners": f"PLAINTEXT://{serves_at}",
            "default.replication.factor": copies,
            "min.insync.replicas": acknowledged,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": acknowledged,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": acknowledged,
        }
