-- Families, codes and cuts. What is decided about them stands in the functions of the next files.

CREATE TABLE family (
    id                  uuid PRIMARY KEY,
    client_id           text        NOT NULL,
    subject             uuid        NOT NULL,
    subject_hash        text        NOT NULL,
    session_id          uuid        NOT NULL,
    shard               smallint    NOT NULL,
    salt                bytea       NOT NULL CHECK (octet_length(salt) = 32),
    key_id              text        NOT NULL,
    generation          integer     NOT NULL DEFAULT 1 CHECK (generation > 0),
    rotated_at          timestamptz NOT NULL,
    replays             smallint    NOT NULL DEFAULT 0,
    state               text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'ended')),
    cause               text,
    ended_at            timestamptz,
    key_thumbprint      text,
    scope               text        NOT NULL,
    resource            text        NOT NULL,
    auth_time           timestamptz NOT NULL,
    acr                 text        NOT NULL,
    started_at          timestamptz NOT NULL,
    idle_expires_at     timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    denied_at           timestamptz,
    denied_count        integer     NOT NULL DEFAULT 0,
    CHECK ((state = 'ended') = (ended_at IS NOT NULL AND cause IS NOT NULL))
) WITH (fillfactor = 80);
-- No index names a column that a rotation changes: every rotation is a HOT update.
CREATE INDEX family_session ON family (session_id);
CREATE INDEX family_active ON family (subject, client_id, started_at) WHERE state = 'active';
CREATE INDEX family_absolute_expires_at ON family (absolute_expires_at);

CREATE TABLE authorization_code (
    code_sha256        bytea PRIMARY KEY,
    client_id          text        NOT NULL,
    redirect_uri       text        NOT NULL,
    redirect_uri_given boolean     NOT NULL,
    scope              text        NOT NULL,
    resource           text        NOT NULL,
    nonce              text,
    code_challenge     text,
    subject            uuid        NOT NULL,
    subject_hash       text        NOT NULL,
    session_id         uuid        NOT NULL,
    auth_time          timestamptz NOT NULL,
    acr                text        NOT NULL,
    issued_at          timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    redeemed_at        timestamptz,
    family_id          uuid
);
CREATE INDEX authorization_code_issued_at ON authorization_code (issued_at);
CREATE INDEX authorization_code_session ON authorization_code (session_id);
CREATE INDEX authorization_code_subject_client ON authorization_code (subject, client_id);

-- A cut says: nothing of this selector from before `applied_at`. A lasting one (a disabled client or
-- account) says: nothing at all. Subjects stand as their keyed hash, tokens as the hash of their jti.
CREATE TABLE cut (
    kill_id     text PRIMARY KEY,
    selector    text        NOT NULL,
    applied_at  timestamptz NOT NULL,
    lasting     boolean     NOT NULL DEFAULT false,
    answered_at timestamptz NOT NULL
);
CREATE INDEX cut_selector ON cut (selector, applied_at);
CREATE INDEX cut_applied_at ON cut (applied_at);
CREATE INDEX cut_of_token ON cut (applied_at) WHERE selector LIKE 'jti:%';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON family, authorization_code, cut TO revocast_issuer;
    END IF;
END
$$;
