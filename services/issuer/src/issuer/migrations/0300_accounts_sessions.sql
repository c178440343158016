-- Accounts, sign-ins, consents, and the counts behind the limit on guessing.

-- `username` is kept normalised (domain/username.py), so UNIQUE means unique to the eye.
CREATE TABLE account (
    subject       uuid PRIMARY KEY,
    username      text        NOT NULL UNIQUE,
    password_hash text        NOT NULL,
    name          text        NOT NULL,
    email         text,
    scopes        text[]      NOT NULL DEFAULT '{}',
    disabled      boolean     NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One browser's sign-in. `id` is the `sid` of tokens; the cookie is another random value, kept hashed.
-- Signing in again in the same browser as the same person renews the row under a new cookie.
CREATE TABLE session (
    id                  uuid PRIMARY KEY,
    cookie_sha256       bytea       NOT NULL UNIQUE CHECK (octet_length(cookie_sha256) = 32),
    subject             uuid        NOT NULL REFERENCES account,
    subject_hash        text        NOT NULL,
    auth_time           timestamptz NOT NULL,
    acr                 text        NOT NULL,
    idle_expires_at     timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL
);
CREATE INDEX session_absolute_expires_at ON session (absolute_expires_at);

-- What somebody allowed a client at a resource, remembered until it is withdrawn.
CREATE TABLE consent (
    subject    uuid        NOT NULL REFERENCES account,
    client_id  text        NOT NULL,
    resource   text        NOT NULL,
    scopes     text[]      NOT NULL,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (subject, client_id, resource)
);

-- Counts of tries (domain/guessing.py). A bucket is a keyed hash: nobody's name or address stands here.
CREATE TABLE guess (
    bucket        bytea PRIMARY KEY,
    failures      integer     NOT NULL DEFAULT 0,
    last_at       timestamptz,
    blocked_until timestamptz,
    told          boolean     NOT NULL DEFAULT false
);
CREATE INDEX guess_last_at ON guess (last_at);

-- Browsers that an account has signed in from: a keyed hash of browser and username together.
CREATE TABLE known_browser (
    id      bytea PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
CREATE INDEX known_browser_seen_at ON known_browser (seen_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        GRANT SELECT, INSERT, UPDATE ON account TO revocast_issuer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON session, consent, guess, known_browser
            TO revocast_issuer;
    END IF;
END
$$;
