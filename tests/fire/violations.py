"""A broken promise in one line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """`promise` is its number in the design; `shown_by` is the evidence."""

    promise: int
    what: str
    shown_by: str

    def __str__(self) -> str:
        return f"promise {self.promise}: {self.what} ({self.shown_by})"
