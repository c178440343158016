-- The outbox, which only ever grows and is freed by the day, and what its relay remembers.

CREATE SEQUENCE outbox_id AS bigint CACHE 1;

-- The transaction gets its number before the row gets its id: whoever sees a row with a higher id
-- then knows that every transaction that holds a lower one already has a number (see gaps.py).
CREATE TABLE outbox (
    id             bigint      NOT NULL
        DEFAULT CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('outbox_id') END,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_id       uuid        NOT NULL,
    topic          text        NOT NULL,
    shard          smallint    NOT NULL,
    key            text        NOT NULL,
    type           text        NOT NULL,
    subject        text        NOT NULL,
    correlation_id text        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    data           jsonb       NOT NULL
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE outbox_id OWNED BY outbox.id;
CREATE INDEX outbox_by_id ON outbox (id);
-- Takes what no day was made for: the upkeep stood still for days, or a clock is wrong.
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;

-- Who publishes. The number of its last batch is the fence, so a lease that is wrong does no harm.
CREATE TABLE relay_lease (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    owner      text        NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 10);
INSERT INTO relay_lease (owner, expires_at) VALUES ('nobody', '-infinity');

-- What was about to be sent, written before it is sent; the last row is all of the relay's state.
-- Two owners that write at once want the same number, and one of them fails.
CREATE TABLE relay_batch (
    number     bigint PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    owner      text        NOT NULL,
    epoch      bigint      NOT NULL,
    ids        bigint[]    NOT NULL,
    seqs       bigint[]    NOT NULL,
    dead       bigint[]    NOT NULL,
    high       bigint      NOT NULL,
    gaps       bigint[]    NOT NULL,
    acked      bigint      NOT NULL,
    heads      jsonb       NOT NULL,
    offsets    jsonb       NOT NULL,
    republish  text[]      NOT NULL
);
INSERT INTO relay_batch
    (number, owner, epoch, ids, seqs, dead, high, gaps, acked, heads, offsets, republish)
VALUES (0, 'nobody', 1, '{}', '{}', '{}', 0, '{}', 0, '{}', '{}', '{}');

-- Each life of the log and why the one before it ended: `database_restored` or `topic_recreated`.
CREATE TABLE relay_epoch (
    epoch      bigint PRIMARY KEY,
    cause      text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO relay_epoch (epoch, cause) VALUES (1, 'first');

-- One step of upkeep: makes a missing day of the next four, or drops a day that ended `p_kept` ago
-- and was published whole. Says whether there was something to do. A lock that is not free within
-- 50 ms fails with lock_not_available: a longer wait would stop every writer behind it.
-- One change a call, since the lock of a change is held until the transaction ends.
CREATE FUNCTION tend_outbox(p_kept interval, p_published bigint, p_gaps bigint[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '50ms' SET timezone = 'UTC' AS $$
DECLARE
    v_day  date;
    v_name text;
    v_left boolean;
BEGIN
    FOR v_day IN SELECT current_date + n FROM generate_series(0, 3) AS n LOOP
        v_name := 'outbox_' || to_char(v_day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(v_name) IS NOT NULL OR EXISTS (
            SELECT FROM outbox_default WHERE created_at >= v_day AND created_at < v_day + 1);
        EXECUTE format('CREATE TABLE %I (LIKE outbox INCLUDING DEFAULTS)', v_name);
        EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            v_name, v_day::timestamptz, (v_day + 1)::timestamptz);
        RETURN true;
    END LOOP;
    FOR v_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\d{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 < now() - p_kept
        ORDER BY 1
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE id > $1 OR id = ANY ($2))', v_name)
            INTO v_left USING p_published, p_gaps;
        CONTINUE WHEN v_left;
        EXECUTE format('DROP TABLE %I', v_name);
        RETURN true;
    END LOOP;
    DELETE FROM outbox_default
    WHERE created_at < now() - p_kept AND id <= p_published AND NOT id = ANY (p_gaps);
    RETURN false;
END
$$;

DO $$
BEGIN
    WHILE tend_outbox('8 days', 0, '{}') LOOP
    END LOOP;
END
$$;

DO $$
DECLARE
    v_role text := current_database();
BEGIN
    REVOKE ALL ON FUNCTION tend_outbox FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
        EXECUTE format('GRANT SELECT, INSERT ON outbox, relay_epoch TO %I', v_role);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON relay_batch TO %I', v_role);
        EXECUTE format('GRANT SELECT, UPDATE ON relay_lease TO %I', v_role);
        EXECUTE format('GRANT USAGE ON SEQUENCE outbox_id TO %I', v_role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION tend_outbox TO %I', v_role);
    END IF;
END
$$;
