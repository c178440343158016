from collections.abc import Sequence

import asyncpg

from servicekit.postgres import Pool, create_pool, transaction
from tests.support.issuer import a_family, families_on

EVERYWHERE = (
    "CREATE TABLE mine (a int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine",
    "SELECT * FROM schema_migration",
    "DELETE FROM schema_migration",
    "COPY (SELECT 1) TO '/tmp/stolen'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/hostname')",
    "SET session_replication_role = replica",
)
ISSUER = (
    "UPDATE outbox SET data = '{}'",
    "DELETE FROM outbox",
    "TRUNCATE outbox",
    "DELETE FROM outbox_default",
    "DROP TABLE outbox_default",
    "ALTER TABLE outbox DETACH PARTITION outbox_default",
    "UPDATE cut SET applied_at = '-infinity'",
    "UPDATE cut SET lasting = false",
    "DELETE FROM cut",
    "TRUNCATE cut",
    "SELECT end_lasting('disabled:client:web')",
    "UPDATE family SET salt = decode(repeat('00', 32), 'hex')",
    "UPDATE family SET subject = gen_random_uuid()",
    "UPDATE family SET scope = 'admin.write'",
    "UPDATE family SET absolute_expires_at = 'infinity'",
    "UPDATE authorization_code SET client_id = 'mine'",
    "UPDATE authorization_code SET scope = 'admin.write'",
    "INSERT INTO client SELECT * FROM client",
    "UPDATE client SET redirect_uris = '{https://mine.example}'",
    "UPDATE client SET secret_sha256 = NULL",
    "UPDATE client SET disabled = false",
    "DELETE FROM client",
    "UPDATE resource SET scopes = '{}'",
    "INSERT INTO account SELECT * FROM account",
    "UPDATE account SET scopes = '{admin.write}'",
    "UPDATE account SET disabled = false",
    "DELETE FROM account",
    "UPDATE signing_key SET retired_at = NULL",
    "DELETE FROM signing_key",
    "UPDATE session SET subject = gen_random_uuid()",
    "DELETE FROM relay_epoch",
    "UPDATE relay_batch SET high = 0",
    "ALTER FUNCTION apply_cut(text, text, boolean) SET lock_timeout = 1",
)
ADMIN = (
    "SELECT * FROM family",
    "SELECT * FROM authorization_code",
    "SELECT * FROM session",
    "SELECT * FROM outbox",
    "UPDATE cut SET applied_at = '-infinity'",
    "DELETE FROM client",
    "DELETE FROM account",
    "UPDATE signing_key SET sealed_private = ''",
    "SELECT forget_cuts('0', 1)",
)
REVOCATION = (
    "UPDATE kill SET reason = 'another'",
    "UPDATE kill SET actor = 'another'",
    "UPDATE entry SET cause = 'another'",
    "UPDATE entry SET value = 'another'",
    "UPDATE outbox SET data = '{}'",
    "DELETE FROM outbox",
    "DELETE FROM watermark",
    "TRUNCATE entry",
)
AUDIT = (
    "UPDATE record SET event = ''",
    "DELETE FROM record",
    "TRUNCATE record",
    "DELETE FROM record_default",
    "UPDATE retention SET keep = interval '60 days'",
    "SELECT * FROM outbox",
    "INSERT INTO log_head (next_index) VALUES (0)",
)
READER = (
    *AUDIT,
    "INSERT INTO record SELECT * FROM record",
    "SELECT * FROM record FOR UPDATE",
    "UPDATE log_head SET next_index = 0",
    "SELECT * FROM log_head",
    "SELECT * FROM consumer_position",
    "SELECT tend_records()",
    "COPY record FROM STDIN",
)


async def test_the_issuer_cannot(service: Pool) -> None:
    """The process that faces the network gives itself nothing, hides nothing, alters nothing."""
    assert await _allowed(service, ISSUER) == []


async def test_the_operators_command_cannot(admin: Pool) -> None:
    """Who registers clients sees no family, code or session, and undoes no kill."""
    assert await _allowed(admin, ADMIN) == []


async def test_the_revocation_service_cannot(revocation: Pool) -> None:
    """A decision stays what it was, and what was told stays told."""
    assert await _allowed(revocation, REVOCATION) == []


async def test_the_audit_writer_cannot(audit: Pool) -> None:
    """It appends; what is recorded stays."""
    assert await _allowed(audit, AUDIT) == []


async def test_the_audit_reader_cannot(reader: Pool) -> None:
    """It reads, and that is all."""
    assert await _allowed(reader, READER) == []


async def test_what_is_allowed_is_seen(reader: Pool) -> None:
    """The same look finds a statement that is not refused."""
    assert await _allowed(reader, ("SELECT count(*) FROM record",)) == [
        "SELECT count(*) FROM record"
    ]


async def _allowed(pool: Pool, statements: Sequence[str]) -> list[str]:
    """Those of the statements, and of what nobody may do anywhere, that are not refused."""
    allowed = []
    for statement in {*statements, *EVERYWHERE}:
        try:
            async with transaction(pool) as connection:
                await connection.execute(statement)
                allowed.append(statement)
        except asyncpg.InsufficientPrivilegeError:
            pass
    return allowed


async def test_no_cut_that_matters_can_be_forgotten(issuer_database: str, service: Pool) -> None:
    """However short a time the service says to keep them for, only what is too old goes."""
    owner = await create_pool(issuer_database, size=1, application_name="test")
    try:
        await owner.execute(
            "INSERT INTO cut (kill_id, selector, lasting, applied_at, answered_at)"
            " SELECT id, selector, lasting, at, at FROM (VALUES"
            " ('young', 'client:web', false, now() - interval '399 days'),"
            " ('old', 'client:web', false, now() - interval '401 days'),"
            " ('lasting', 'client:web', true, now() - interval '401 days'),"
            " ('jti:young', 'jti:young', false, now() - interval '59 minutes'),"
            " ('jti:old', 'jti:old', false, now() - interval '61 minutes')"
            ") AS v (id, selector, lasting, at)"
        )
    finally:
        await owner.close()
    assert await service.fetchval("SELECT forget_cuts('0', 100)") == 1
    assert await service.fetchval("SELECT forget_token_cuts('-1 day', 100)") == 1
    left = await service.fetch("SELECT kill_id FROM cut ORDER BY 1")
    assert [row["kill_id"] for row in left] == ["jti:young", "lasting", "young"]


async def test_functions_that_do_more_find_no_tables_of_others(service: Pool) -> None:
    """What runs as the owner looks up names in `public` alone: a temporary table fools nobody."""
    rows = await service.fetch(
        "SELECT proname, proconfig FROM pg_proc WHERE prosecdef"
        " AND pronamespace = 'public'::regnamespace"
    )
    assert {row["proname"] for row in rows} == {
        "apply_cut",
        "catch_up_activity",
        "catch_up_cuts",
        "catch_up_enabled",
        "catch_up_families",
        "catch_up_started",
        "end_lasting",
        "forget_cuts",
        "forget_token_cuts",
        "tend_outbox",
    }
    assert all("search_path=public, pg_temp" in row["proconfig"] for row in rows)
    assert (await a_family(families_on(service))).family is not None
