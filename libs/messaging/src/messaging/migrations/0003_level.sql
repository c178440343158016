-- Level with the log: whether this database has been compared with what it once published, and has
-- caught up (docs/decisions/0008). A database that was restored has not, whatever its rows say.

-- Which life of the data was compared. A restore of files starts the server anew, a copy has another
-- oid, and rows that were loaded have another xmin than the transaction that is written in them.
CREATE TABLE level (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    server_started_at timestamptz NOT NULL,
    database          oid         NOT NULL,
    written_by        xid8        NOT NULL
);

CREATE FUNCTION is_level() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM level WHERE server_started_at = pg_postmaster_start_time()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND xmin = written_by::xid)
$$;

-- Said by the relay, on the connection on which it read its own positions before it compared them.
CREATE FUNCTION note_level() RETURNS void LANGUAGE sql AS $$
    INSERT INTO level (server_started_at, database, written_by)
    SELECT pg_postmaster_start_time(), oid, pg_current_xact_id()
    FROM pg_database WHERE datname = current_database()
    ON CONFLICT (only_row) DO UPDATE SET server_started_at = excluded.server_started_at,
        database = excluded.database, written_by = excluded.written_by
$$;

-- Like a server that is starting: nothing was decided, the same call may succeed soon.
CREATE FUNCTION require_level() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT is_level() THEN
        RAISE EXCEPTION 'not level with the log' USING ERRCODE = 'cannot_connect_now';
    END IF;
END
$$;

-- The log is ahead: not level until `note_level`, whoever said so before.
CREATE FUNCTION forget_level() RETURNS void LANGUAGE sql AS $$ DELETE FROM level $$;
