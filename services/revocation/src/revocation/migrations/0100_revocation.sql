-- What is dead (entry), what was decided (kill), what the detector remembers (lineage), and how far
-- each source was heard (watermark). Locks are taken in this order: lineage, entries of
-- facts, kill, entries of kills, watermark;
-- within a table in the order of the key.

CREATE TABLE lineage (
    family              text PRIMARY KEY,
    epoch               bigint      NOT NULL,
    seq                 bigint      NOT NULL,
    at                  timestamptz NOT NULL,
    generation          bigint      NOT NULL,
    rotated_by          uuid,
    network             text,
    replayed_generation bigint      NOT NULL,
    replays             uuid[]      NOT NULL,
    ended               boolean     NOT NULL,
    seen_at             timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);

CREATE TABLE kill (
    id                 text PRIMARY KEY,
    kind               text        NOT NULL,
    value              text        NOT NULL,
    cause              text        NOT NULL,
    actor              text        NOT NULL,
    reason             text        NOT NULL,
    decided_at         timestamptz NOT NULL,
    applied_at         timestamptz,
    correlation_id     text        NOT NULL,
    idempotency_sha256 bytea UNIQUE,
    request_sha256     bytea       NOT NULL
);
CREATE INDEX kill_decided_at ON kill (decided_at);

-- As it stands on the revocations topic: subjects and jtis are hashed here.
CREATE TABLE entry (
    entry_id       text PRIMARY KEY,
    kind           text        NOT NULL,
    value          text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('pending', 'applied')),
    not_before     timestamptz,
    expires_at     timestamptz NOT NULL,
    cause          text        NOT NULL,
    correlation_id text        NOT NULL,
    sent_at        timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80);
CREATE INDEX entry_selector ON entry (kind, value);
CREATE INDEX entry_expires_at ON entry (expires_at);
CREATE INDEX entry_pending ON entry (sent_at) WHERE state = 'pending';

CREATE TABLE watermark (
    source           text PRIMARY KEY,
    complete_through timestamptz NOT NULL
) WITH (fillfactor = 50);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_revocation') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON lineage, kill, entry, watermark
            TO revocast_revocation;
    END IF;
END
$$;
