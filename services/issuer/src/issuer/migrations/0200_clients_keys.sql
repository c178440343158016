-- Clients, the APIs that tokens are made for, and the keys that sign them.

CREATE TABLE client (
    client_id                 text PRIMARY KEY CHECK (length(client_id) BETWEEN 1 AND 128),
    name                      text        NOT NULL,
    secret_sha256             bytea,
    grants                    text[]      NOT NULL,
    redirect_uris             text[]      NOT NULL,
    post_logout_redirect_uris text[]      NOT NULL,
    scopes                    text[]      NOT NULL,
    resources                 text[]      NOT NULL,
    introspects               text[]      NOT NULL,
    native                    boolean     NOT NULL,
    pkce_required             boolean     NOT NULL,
    consent_required          boolean     NOT NULL,
    grace                     interval    NOT NULL CHECK (grace BETWEEN '0' AND '60 s'),
    access_token_lifetime     interval    NOT NULL
        CHECK (access_token_lifetime BETWEEN '1 min' AND '15 min'),
    refresh_idle_lifetime     interval    NOT NULL,
    refresh_absolute_lifetime interval    NOT NULL,
    disabled                  boolean     NOT NULL DEFAULT false,
    registered_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (pkce_required OR secret_sha256 IS NOT NULL)
);

CREATE TABLE resource (
    uri     text PRIMARY KEY,
    profile text   NOT NULL CHECK (profile IN ('rfc9068', 'jwt')),
    alg     text   NOT NULL CHECK (alg IN ('ES256', 'EdDSA', 'RS256', 'PS256')),
    scopes  text[] NOT NULL
);

-- The private half is sealed with KEY_ENCRYPTION_KEY: the database alone signs nothing.
CREATE TABLE signing_key (
    kid            text PRIMARY KEY,
    alg            text        NOT NULL,
    sealed_private bytea       NOT NULL,
    public_jwk     jsonb       NOT NULL,
    added_at       timestamptz NOT NULL,
    signs_from     timestamptz NOT NULL,
    retired_at     timestamptz
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        GRANT SELECT, INSERT, UPDATE ON client, resource, signing_key TO revocast_issuer;
    END IF;
END
$$;
