"""Records of `dead-letter`: what could not be read, why, and where it stood."""

from typing import ClassVar

from pydantic import Field

from revocast_contracts.envelope import Data


class LetterDied(Data):
    """A record that no consumer can read. It was set aside so that its partition goes on."""

    event_type: ClassVar[str] = "revocast.letter.died.v1"

    topic: str
    partition: int
    offset: int
    consumer: str
    reason: str
    sha256: str = Field(description="Of the original value, hex.")
    original: str = Field(description="The original value, base64; cut at 256 KiB.")
