"""Records of `audit-checkpoints`: signed tree heads, for monitors and witnesses."""

from typing import ClassVar

from revocast_contracts.envelope import Data


class CheckpointSigned(Data):
    """The audit log had `size` records and this root when it signed `note`."""

    event_type: ClassVar[str] = "revocast.checkpoint.signed.v1"

    log: str
    size: int
    root: str
    note: str
