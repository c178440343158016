-- Every event once, appended for ever: `index` is dense from 0 and given under the lock of log_head.
--
-- The partition key is the event's own time. It is part of the event's bytes, so a republished event
-- has the same one, and a unique index over (event_id, time) can enforce "each event once" across
-- topics, epochs and partitions of any age: no second table, no window that a late copy could miss.
-- A month each: a search without a time looks into every partition.

CREATE TABLE record (
    index          bigint      NOT NULL CHECK (index >= 0),
    recorded_at    timestamptz NOT NULL,
    event_id       uuid        NOT NULL,
    time           timestamptz NOT NULL,
    type           text        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    epoch          bigint      NOT NULL,
    seq            bigint      NOT NULL,
    family         text,
    session        text,
    subject        text,
    client         text,
    correlation_id text        NOT NULL,
    selector       text,
    event          bytea       NOT NULL,
    PRIMARY KEY (event_id, time)
) PARTITION BY RANGE (time);
-- On an expression, so that only what asks for it gets it: a search by a frequent client would else
-- walk down the whole log, since the planner can't know that this client fell silent long ago.
CREATE UNIQUE INDEX record_index ON record ((index + 0), time);
CREATE INDEX record_family ON record (family, index) WHERE family IS NOT NULL;
CREATE INDEX record_session ON record (session, index) WHERE session IS NOT NULL;
CREATE INDEX record_subject ON record (subject, index) WHERE subject IS NOT NULL;
CREATE INDEX record_client ON record (client, index) WHERE client IS NOT NULL;
CREATE INDEX record_type ON record (type, index);
CREATE INDEX record_correlation_id ON record (correlation_id, index);
CREATE INDEX record_selector ON record (selector, time) WHERE selector IS NOT NULL;
CREATE INDEX record_time ON record (time);

-- Events with a strange time, and whatever comes while upkeep fails: a record is never refused.
CREATE TABLE record_default PARTITION OF record DEFAULT;

CREATE TABLE log_head (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    next_index bigint  NOT NULL CHECK (next_index >= 0)
) WITH (fillfactor = 10);
INSERT INTO log_head (next_index) VALUES (0);

-- 60 days at least: months are dropped whole, and what a topic still holds (30 days) must find its
-- first copy here.
CREATE TABLE retention (
    one  boolean  PRIMARY KEY DEFAULT true CHECK (one),
    keep interval NOT NULL CHECK (keep >= interval '60 days')
);
INSERT INTO retention (keep) VALUES (interval '400 days');

CREATE FUNCTION make_record_month(month timestamptz) RETURNS boolean LANGUAGE plpgsql
SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    name text := 'record_' || to_char(month, 'YYYY_MM');
    after timestamptz := month + interval '1 month';
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Attached, not made as a partition: appends and searches go on. What lies in the default
    -- partition of this month moves, or it would forbid the month for ever.
    EXECUTE format('CREATE TABLE %I (LIKE record INCLUDING ALL)', name);
    LOCK TABLE record_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (DELETE FROM record_default WHERE time >= %L AND time < %L RETURNING *)'
        ' INSERT INTO %I SELECT * FROM moved', month, after, name);
    EXECUTE format(
        'ALTER TABLE record ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, month, after);
    RETURN true;
END
$$;

-- Last month, for what topics still hold, this one and two ahead. The retention is read here and is
-- no argument: who may call this can't drop what is to be kept. It waits only briefly for a lock,
-- because everybody would wait behind it; the caller tries again.
CREATE FUNCTION tend_records() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
    this_month timestamptz := date_trunc('month', clock_timestamp());
    oldest timestamptz := clock_timestamp() - (SELECT keep FROM retention);
    month timestamptz;
    name text;
    recorded timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7381520030) THEN
        RETURN; -- another process is at it
    END IF;
    FOR month IN SELECT generate_series(
        this_month - interval '1 month', this_month + interval '2 months', interval '1 month')
    LOOP
        IF make_record_month(month) THEN
            RETURN NEXT 'made record_' || to_char(month, 'YYYY_MM');
        END IF;
    END LOOP;
    FOR name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'record'::regclass AND relname ~ '^record_\d{4}_\d{2}$'
            AND to_timestamp(right(relname, 7), 'YYYY_MM') + interval '1 month' <= oldest
        ORDER BY relname
    LOOP
        -- An event's time is its writer's word. What was recorded late is kept as long as the rest.
        EXECUTE format('SELECT recorded_at FROM %I ORDER BY index + 0 DESC LIMIT 1', name)
            INTO recorded;
        CONTINUE WHEN recorded > oldest;
        EXECUTE format('DROP TABLE %I', name);
        RETURN NEXT 'dropped ' || name;
    END LOOP;
    DELETE FROM record_default WHERE recorded_at < oldest;
END
$$;
REVOKE ALL ON FUNCTION make_record_month(timestamptz), tend_records() FROM PUBLIC;
SELECT tend_records();

-- The service appends and reads. It has no right to change, remove or empty anything recorded.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_audit') THEN
        GRANT SELECT, INSERT ON record TO revocast_audit;
        GRANT SELECT, INSERT, UPDATE ON consumer_position TO revocast_audit;
        GRANT SELECT, UPDATE (next_index) ON log_head TO revocast_audit;
        GRANT SELECT ON retention TO revocast_audit;
        GRANT EXECUTE ON FUNCTION tend_records() TO revocast_audit;
    END IF;
END
$$;
