"""Watermarks: how far each source of facts was heard, stored with what was heard."""

from collections.abc import Mapping
from datetime import datetime

from servicekit.postgres import Connection


async def advance(connection: Connection, heard: Mapping[str, datetime]) -> None:
    """Store how far sources were heard; a watermark that comes again never goes back."""
    await connection.execute(
        """
        INSERT INTO watermark (source, complete_through)
        SELECT * FROM unnest($1::text[], $2::timestamptz[]) AS w (source, complete_through)
        ORDER BY source
        ON CONFLICT (source) DO UPDATE
            SET complete_through = greatest(watermark.complete_through, EXCLUDED.complete_through)
        """,
        list(heard),
        list(heard.values()),
    )


async def read(connection: Connection) -> dict[str, datetime]:
    """Every source that was heard -> how far."""
    rows = await connection.fetch("SELECT source, complete_through FROM watermark")
    return {row["source"]: row["complete_through"] for row in rows}
