"""A family's events folded into the row that they should have left behind."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from servicekit.postgres import Pool


@dataclass(slots=True)
class Story:
    """What the events so far say of a family."""

    generation: int = 1
    replays: int = 0
    cause: str | None = None
    ended_at: datetime | None = None
    told_at: datetime | None = None

    def hear(self, name: str, data: dict[str, Any], at: datetime) -> None:
        """The next event; fails where no lawful history has it here."""
        assert self.told_at is None or self.told_at <= at, "told out of order"
        self.told_at = at
        if name == "token.denied":
            assert data["reason"] != "ended" or self.cause is not None
            return
        assert self.cause is None, f"{name} after the family had ended"
        match name:
            case "token.rotated":
                assert data["generation"] == self.generation + 1, "the chain forked or has a hole"
                self.generation, self.replays = data["generation"], 0
            case "token.replayed":
                assert data["generation"] == self.generation
                assert data["replay"] == self.replays + 1 <= 3
                self.replays += 1
            case "token.presented_stale":
                assert data["current_generation"] == self.generation
                assert data["presented_generation"] < self.generation
                self._end("reuse", data)
            case "family.ended":
                assert data["generation"] == self.generation
                self._end(data["cause"], data)
            case "token.revoked":
                pass
            case _:
                raise AssertionError(f"a family has no {name}")

    def _end(self, cause: str, data: dict[str, Any]) -> None:
        self.cause, self.ended_at = cause, datetime.fromisoformat(data["ended_at"])


async def assert_events_tell_the_rows(pool: Pool) -> Counter[str]:
    """Every family's events, one per change and in order, lead to its row; how many of each."""
    stories, heard, jtis = await _stories(pool)
    assert [jti for jti, count in jtis.items() if count > 1] == []
    rows = await pool.fetch(
        "SELECT id, generation, replays, cause, ended_at, state FROM family ORDER BY id"
    )
    assert {row["id"] for row in rows} == stories.keys()
    for row in rows:
        story = stories[row["id"]]
        assert tuple(row)[1:5] == (
            story.generation,
            story.replays,
            story.cause,
            story.ended_at,
        ), f"{row['id']}"
        assert (row["state"] == "ended") == (story.cause is not None)
    return heard


async def jti_hashes_told(pool: Pool) -> Sequence[str]:
    """The hashes of all access tokens that events tell of."""
    rows = await pool.fetch(
        "SELECT data->>'jti_hash' AS told FROM outbox WHERE type IN ('revocast.token.issued.v1',"
        " 'revocast.token.rotated.v1', 'revocast.token.replayed.v1')"
    )
    return [row["told"] for row in rows]


async def _stories(pool: Pool) -> tuple[dict[UUID, Story], Counter[str], Counter[str]]:
    rows = await pool.fetch(
        "SELECT type, data, occurred_at FROM outbox"
        " WHERE data ? 'family' AND data->>'family' IS NOT NULL ORDER BY id"
    )
    stories: dict[UUID, Story] = {}
    heard: Counter[str] = Counter()
    jtis: Counter[str] = Counter()
    for row in rows:
        name = row["type"].removeprefix("revocast.").removesuffix(".v1")
        family = UUID(row["data"]["family"])
        heard[name] += 1
        if "jti_hash" in row["data"] and name != "token.revoked":
            jtis[row["data"]["jti_hash"]] += 1
        if name == "token.issued":
            assert family not in stories, "a family began twice"
            stories[family] = Story(told_at=row["occurred_at"])
        else:
            stories[family].hear(name, row["data"], row["occurred_at"])
    return stories, heard, jtis
