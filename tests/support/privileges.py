"""Who may do what in a database, read from PostgreSQL's own functions, and pools as such a role."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servicekit.postgres import Pool, create_pool
from tests.support.postgres import ROLES

OF_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
OF_COLUMNS = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
OF_SEQUENCES = ("USAGE", "SELECT", "UPDATE")

_DAY = re.compile(r"\d{8}|\d{4}_\d{2}")


@asynccontextmanager
async def as_role(dsn: str, role: str) -> AsyncIterator[Pool]:
    """Connections that have the rights of a role and no others."""
    told = f"{dsn}{'&' if '?' in dsn else '?'}options=-c%20role%3D{role}"
    pool = await create_pool(told, size=6, application_name=role)
    try:
        assert await pool.fetchval("SELECT current_user") == role
        yield pool
    finally:
        await pool.close()


async def matrix(pool: Pool) -> list[str]:
    """Every right that a role of ours, or everybody, has on anything: one line for each.

    Partitions of a day or a month are one line. A right on some columns names them.
    """
    lines: set[str] = set()
    for role in ("public", *ROLES):
        lines |= {
            f"{role} {line}"
            for found in (
                await _tables(pool, role),
                await _columns(pool, role),
                await _sequences(pool, role),
                await _functions(pool, role),
                await _schemas(pool, role),
            )
            for line in found
        }
    return sorted(lines)


async def _tables(pool: Pool, role: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT c.relname AS name, string_agg(p, ' ' ORDER BY p) AS rights"
        " FROM pg_class c CROSS JOIN unnest($2::text[]) AS p WHERE relkind IN ('r', 'p', 'v', 'm')"
        " AND relnamespace = 'public'::regnamespace AND has_table_privilege($1, c.oid, p)"
        " GROUP BY c.oid",
        role,
        list(OF_TABLES),
    )
    return [f"table {_DAY.sub('<time>', row['name'])}: {row['rights']}" for row in rows]


async def _columns(pool: Pool, role: str) -> list[str]:
    """Only where the right is not on the whole table."""
    rows = await pool.fetch(
        "SELECT c.relname AS name, p AS right, string_agg(a.attname, ' ' ORDER BY a.attname)"
        " AS columns FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped CROSS JOIN unnest($2::text[]) AS p"
        " WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace"
        " AND NOT has_table_privilege($1, c.oid, p)"
        " AND has_column_privilege($1, c.oid, a.attnum, p) GROUP BY c.oid, p",
        role,
        list(OF_COLUMNS),
    )
    return [
        f"table {_DAY.sub('<time>', row['name'])}: {row['right']} of {row['columns']}"
        for row in rows
    ]


async def _sequences(pool: Pool, role: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT c.relname AS name, string_agg(p, ' ' ORDER BY p) AS rights"
        " FROM pg_class c CROSS JOIN unnest($2::text[]) AS p WHERE relkind = 'S'"
        " AND relnamespace = 'public'::regnamespace AND has_sequence_privilege($1, c.oid, p)"
        " GROUP BY c.oid",
        role,
        list(OF_SEQUENCES),
    )
    return [f"sequence {row['name']}: {row['rights']}" for row in rows]


async def _functions(pool: Pool, role: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT proname AS name, prosecdef AS as_owner FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
        " AND has_function_privilege($1, oid, 'EXECUTE')",
        role,
    )
    how = {False: "EXECUTE", True: "EXECUTE as its owner"}
    return [f"function {row['name']}: {how[row['as_owner']]}" for row in rows]


async def _schemas(pool: Pool, role: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT nspname AS name, string_agg(p, ' ' ORDER BY p) AS rights FROM pg_namespace"
        " CROSS JOIN unnest(ARRAY['CREATE', 'USAGE']) AS p"
        " WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
        " AND has_schema_privilege($1, oid, p) GROUP BY nspname",
        role,
    )
    return [f"schema {row['name']}: {row['rights']}" for row in rows]
