-- Families, codes and cuts, and the statements that decide about them.
--
-- Every function that issues something takes ISSUING as a shared advisory lock in its first
-- statement; a kill takes it exclusively. Each later statement of a function has a snapshot of its
-- own, taken after that lock, so a cut that was answered as applied is seen by every later decision.

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
CREATE INDEX family_subject_client ON family (subject, client_id);

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
CREATE INDEX authorization_code_expires_at ON authorization_code (expires_at);
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

-- A UUID of version 7 (RFC 9562): the time overlaid on a random one, whose version bits become 0111.
CREATE FUNCTION new_event_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

CREATE FUNCTION issuing_lock() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 7381520019 $$;

-- The latest moment before which everything of these selectors is dead; NULL where nothing is cut.
CREATE FUNCTION cut_of(selectors text[]) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT max(CASE WHEN lasting THEN 'infinity'::timestamptz ELSE applied_at END)
    FROM cut WHERE selector = ANY (selectors)
$$;

-- Guards compare whole seconds, so a token of the very second of a cut would be dead on arrival.
CREATE FUNCTION too_soon(moment timestamptz, cut_at timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT cut_at IS NOT NULL AND floor(extract(epoch FROM moment)) <= floor(extract(epoch FROM cut_at))
$$;

CREATE FUNCTION milliseconds_between(earlier timestamptz, later timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT floor(extract(epoch FROM later - earlier) * 1000)::bigint $$;

-- How long to wait until a token's whole second is later than the cut's.
CREATE FUNCTION milliseconds_until_after(moment timestamptz, cut_at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT milliseconds_between(moment, date_trunc('second', cut_at, 'UTC') + interval '1 second') + 1
$$;

-- Presentations of refresh tokens -> outcomes, at most one per family and call (design 4).
-- `p_skip_locked` leaves out families that another transaction holds: they come back as `locked`.
CREATE FUNCTION rotate_families(
    p_skip_locked boolean, p_active_key text,
    p_family uuid[], p_generation integer[], p_half bytea[], p_mac_sha256 bytea[],
    p_client_id text[], p_scope text[], p_resource text[], p_grace_ms integer[], p_waited_ms integer[],
    p_lifetime_s integer[], p_idle_s integer[], p_jti_hash text[],
    p_correlation_id text[], p_origin jsonb[]
) RETURNS TABLE (
    family_id uuid, outcome text, reason text, decided_at timestamptz, generation integer,
    key_id text, salt bytea, subject uuid, session_id uuid, scope text, resource text,
    auth_time timestamptz, acr text, retry_ms bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_reachable uuid[] := p_family;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(issuing_lock());
    IF p_skip_locked THEN
        SELECT coalesce(array_agg(held.id), '{}') INTO v_reachable FROM (
            SELECT f.id FROM family f WHERE f.id = ANY (p_family) ORDER BY f.id
            FOR UPDATE SKIP LOCKED
        ) AS held;
    END IF;
    RETURN QUERY
    WITH presented AS (
        SELECT * FROM unnest(
            p_family, p_generation, p_half, p_mac_sha256, p_client_id, p_scope, p_resource,
            p_grace_ms, p_waited_ms, p_lifetime_s, p_idle_s, p_jti_hash, p_correlation_id,
            p_origin
        ) AS p (
            family, generation, half, mac_sha256, client_id, scope, resource,
            grace_ms, waited_ms, lifetime_s, idle_s, jti_hash, correlation_id, origin
        )
    ), l AS MATERIALIZED (
        SELECT f.id, f.client_id, f.subject, f.subject_hash, f.session_id, f.salt, f.key_id,
            f.generation, f.rotated_at, f.replays, f.state, f.key_thumbprint, f.scope, f.resource,
            f.auth_time, f.acr, f.started_at, f.idle_expires_at, f.absolute_expires_at, f.shard,
            f.denied_at, f.denied_count,
            p.generation AS presented_generation, p.half, p.mac_sha256,
            p.client_id AS presented_by, p.scope AS asked_scope, p.resource AS asked_resource,
            p.grace_ms, p.waited_ms, p.lifetime_s, p.idle_s, p.jti_hash, p.correlation_id,
            p.origin
        FROM presented p JOIN family f ON f.id = p.family
        WHERE f.id = ANY (v_reachable)
        ORDER BY f.id FOR UPDATE OF f
    ), clocked AS MATERIALIZED (
        SELECT l.*, clock_timestamp() AS now,
            cut_of(ARRAY['subject:' || l.subject_hash, 'client:' || l.client_id,
                'session:' || l.session_id, 'family:' || l.id, 'issuer']) AS cut_at
        FROM l
    ), aged AS MATERIALIZED (
        SELECT clocked.*,
            milliseconds_between(rotated_at, now) AS age_ms,
            milliseconds_between(rotated_at, now) - waited_ms <= grace_ms AND grace_ms > 0 AS in_grace,
            CASE
                WHEN presented_generation > generation THEN 'future_generation'
                WHEN state = 'ended' THEN 'ended'
                WHEN cut_at >= started_at THEN 'cut'
                WHEN now >= absolute_expires_at THEN 'absolute_expired'
                WHEN now >= idle_expires_at THEN 'idle_expired'
            END AS denial
        FROM clocked
    ), decided AS MATERIALIZED (
        SELECT aged.*, CASE
            WHEN sha256(sha256(half || salt)) <> mac_sha256 OR client_id <> presented_by
                OR key_thumbprint IS NOT NULL THEN 'unproven'
            WHEN denial IS NOT NULL THEN 'denied'
            WHEN presented_generation < generation - 1 THEN 'stale'
            WHEN presented_generation = generation - 1 AND NOT in_grace THEN 'stale'
            WHEN too_soon(now, cut_at) THEN 'too_soon'
            WHEN NOT string_to_array(asked_scope, ' ') <@ string_to_array(scope, ' ') THEN 'scope'
            WHEN asked_resource <> resource THEN 'target'
            WHEN presented_generation = generation THEN 'rotated'
            WHEN replays < 3 THEN 'replayed'
            ELSE 'limited'
        END AS outcome
        FROM aged
    ), counted AS MATERIALIZED (
        SELECT decided.*,
            outcome = 'denied' AND (denied_at IS NULL OR now - denied_at >= interval '1 minute')
                AS told
        FROM decided
    ), changed AS (
        UPDATE family f SET
            generation = CASE WHEN c.outcome = 'rotated' THEN c.generation + 1 ELSE f.generation END,
            key_id = CASE WHEN c.outcome = 'rotated' THEN p_active_key ELSE f.key_id END,
            rotated_at = CASE WHEN c.outcome = 'rotated' THEN c.now ELSE f.rotated_at END,
            replays = CASE c.outcome WHEN 'rotated' THEN 0 WHEN 'replayed' THEN c.replays + 1
                ELSE f.replays END,
            idle_expires_at = CASE WHEN c.outcome = 'rotated'
                THEN c.now + make_interval(secs => c.idle_s) ELSE f.idle_expires_at END,
            state = CASE WHEN c.outcome = 'stale' THEN 'ended' ELSE f.state END,
            cause = CASE WHEN c.outcome = 'stale' THEN 'reuse' ELSE f.cause END,
            ended_at = CASE WHEN c.outcome = 'stale' THEN c.now ELSE f.ended_at END,
            denied_at = CASE WHEN c.told THEN c.now ELSE f.denied_at END,
            denied_count = CASE WHEN c.told THEN 0 WHEN c.outcome = 'denied' THEN c.denied_count + 1
                ELSE f.denied_count END
        FROM counted c
        WHERE f.id = c.id AND c.outcome IN ('rotated', 'replayed', 'stale', 'denied')
    ), written AS (
        INSERT INTO outbox
            (event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data)
        SELECT new_event_id(), 'token-lifecycle', c.shard, c.id::text,
            CASE c.outcome WHEN 'rotated' THEN 'revocast.token.rotated.v1'
                WHEN 'replayed' THEN 'revocast.token.replayed.v1'
                WHEN 'stale' THEN 'revocast.token.presented_stale.v1'
                ELSE 'revocast.token.denied.v1' END,
            c.id::text, c.correlation_id, c.now,
            jsonb_build_object('family', c.id, 'sub', c.subject, 'client_id', c.client_id,
                'origin', c.origin)
            || CASE c.outcome
                WHEN 'rotated' THEN jsonb_build_object(
                    'session', c.session_id, 'generation', c.generation + 1, 'jti_hash', c.jti_hash,
                    'exp', c.now + make_interval(secs => c.lifetime_s))
                WHEN 'replayed' THEN jsonb_build_object(
                    'session', c.session_id, 'generation', c.generation, 'replay', c.replays + 1,
                    'age_ms', c.age_ms, 'jti_hash', c.jti_hash,
                    'exp', c.now + make_interval(secs => c.lifetime_s))
                WHEN 'stale' THEN jsonb_build_object(
                    'session', c.session_id, 'presented_generation', c.presented_generation,
                    'current_generation', c.generation, 'age_ms', c.age_ms, 'ended_at', c.now,
                    'stale_class', CASE WHEN c.presented_generation = c.generation - 1
                        THEN 'late_predecessor' ELSE 'older_generation' END)
                ELSE jsonb_build_object(
                    'presented_generation', c.presented_generation,
                    'current_generation', c.generation, 'reason', c.denial,
                    'count', c.denied_count + 1)
            END
        FROM counted c
        WHERE c.outcome IN ('rotated', 'replayed', 'stale') OR c.told
        ORDER BY c.id
    )
    SELECT p.family,
        coalesce(c.outcome, CASE WHEN p_skip_locked AND f.id IS NOT NULL THEN 'locked'
            ELSE 'unproven' END),
        c.denial, c.now,
        CASE WHEN c.outcome = 'rotated' THEN c.generation + 1 ELSE c.generation END,
        CASE WHEN c.outcome = 'rotated' THEN p_active_key ELSE c.key_id END,
        c.salt, c.subject, c.session_id, coalesce(c.asked_scope, c.scope), c.resource,
        c.auth_time, c.acr,
        CASE WHEN c.outcome = 'too_soon' THEN milliseconds_until_after(c.now, c.cut_at) END
    FROM presented p
    LEFT JOIN counted c ON c.id = p.family
    LEFT JOIN family f ON f.id = p.family AND c.id IS NULL;
END
$$;

-- Ends those of the families that are active, locked in the order of their ids; says how many.
CREATE FUNCTION end_families(
    p_families uuid[], p_cause text, p_correlation_id text, p_origin jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_ended integer;
BEGIN
    WITH l AS MATERIALIZED (
        SELECT f.* FROM family f WHERE f.id = ANY (p_families) ORDER BY f.id FOR UPDATE OF f
    ), clocked AS MATERIALIZED (
        SELECT l.*, clock_timestamp() AS now FROM l
    ), changed AS (
        UPDATE family f SET state = 'ended', cause = p_cause, ended_at = c.now
        FROM clocked c WHERE f.id = c.id AND c.state = 'active'
    ), written AS (
        INSERT INTO outbox
            (event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data)
        SELECT new_event_id(), 'token-lifecycle', c.shard, c.id::text, 'revocast.family.ended.v1',
            c.id::text, p_correlation_id, c.now, jsonb_build_object(
                'family', c.id, 'session', c.session_id, 'sub', c.subject,
                'client_id', c.client_id, 'generation', c.generation, 'cause', p_cause,
                'ended_at', c.now, 'origin', p_origin)
        FROM clocked c WHERE c.state = 'active' ORDER BY c.id
    )
    SELECT count(*) INTO v_ended FROM clocked WHERE state = 'active';
    RETURN v_ended;
END
$$;

-- Ends what a sign-in, or a person's permission to a client, has led to: its codes first, so that one
-- that is being redeemed is waited for and its family is seen by the statement that ends families.
CREATE FUNCTION end_authorizations(
    p_session_id uuid, p_subject uuid, p_client_id text, p_cause text, p_correlation_id text,
    p_origin jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    UPDATE authorization_code SET expires_at = least(expires_at, clock_timestamp())
    WHERE redeemed_at IS NULL AND (session_id = p_session_id
        OR (subject = p_subject AND client_id = p_client_id));
    RETURN end_families(ARRAY(
        SELECT id FROM family WHERE state = 'active' AND (session_id = p_session_id
            OR (subject = p_subject AND client_id = p_client_id))),
        p_cause, p_correlation_id, p_origin);
END
$$;

-- A second presentation of a code. Its answer may have been lost: within grace, and before the first
-- refresh, nothing ends. After that somebody else has it, and the family ends (RFC 6749 4.1.2).
CREATE FUNCTION answer_replayed_code(
    p_code authorization_code, p_grace_ms integer, p_correlation_id text, p_origin jsonb
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_generation integer;
    v_ended integer;
BEGIN
    SELECT generation INTO v_generation FROM family WHERE id = p_code.family_id FOR UPDATE;
    IF v_generation = 1
        AND milliseconds_between(p_code.redeemed_at, clock_timestamp()) <= p_grace_ms THEN
        RETURN 'replayed_in_grace';
    END IF;
    v_ended := end_families(ARRAY[p_code.family_id], 'code_replay', p_correlation_id, p_origin);
    RETURN 'replayed';
END
$$;

-- A code -> a family and its first tokens, or why not (RFC 6749 4.1.3, RFC 7636 4.6, design 3).
CREATE FUNCTION redeem_code(
    p_code_sha256 bytea, p_client_id text, p_redirect_uri text, p_challenge text, p_resource text,
    p_family uuid, p_salt bytea, p_key_id text, p_refreshable boolean, p_lifetime_s integer, p_idle_s integer,
    p_absolute_s integer, p_grace_ms integer, p_jti_hash text, p_shard integer,
    p_correlation_id text, p_origin jsonb
) RETURNS TABLE (
    outcome text, decided_at timestamptz, family_id uuid, subject uuid, session_id uuid, scope text,
    resource text, nonce text, auth_time timestamptz, acr text, retry_ms bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_code authorization_code;
    v_outcome text;
    v_now timestamptz;
    v_cut timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(issuing_lock());
    SELECT * INTO v_code FROM authorization_code WHERE code_sha256 = p_code_sha256 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unknown'::text, clock_timestamp(), NULL::uuid, NULL::uuid, NULL::uuid,
            NULL::text, NULL::text, NULL::text, NULL::timestamptz, NULL::text, NULL::bigint;
        RETURN;
    END IF;
    v_now := clock_timestamp();
    v_cut := cut_of(ARRAY['subject:' || v_code.subject_hash, 'client:' || v_code.client_id,
        'session:' || v_code.session_id, 'issuer']);
    v_outcome := CASE
        WHEN v_code.client_id <> p_client_id THEN 'other_client'
        WHEN v_code.redirect_uri_given AND p_redirect_uri IS NULL THEN 'redirect_uri'
        WHEN p_redirect_uri IS NOT NULL AND p_redirect_uri <> v_code.redirect_uri THEN 'redirect_uri'
        WHEN v_code.code_challenge IS DISTINCT FROM p_challenge THEN 'challenge'
        WHEN v_code.redeemed_at IS NOT NULL THEN 'replayed'
        WHEN v_now >= v_code.expires_at THEN 'expired'
        WHEN v_cut >= v_code.issued_at THEN 'cut'
        WHEN p_resource <> v_code.resource THEN 'target'
        WHEN too_soon(v_now, v_cut) THEN 'too_soon'
        ELSE 'redeemed'
    END;
    IF v_outcome = 'replayed' THEN
        v_outcome := answer_replayed_code(v_code, p_grace_ms, p_correlation_id, p_origin);
    ELSIF v_outcome = 'redeemed' THEN
        UPDATE authorization_code SET redeemed_at = v_now, family_id = p_family
        WHERE code_sha256 = p_code_sha256;
        INSERT INTO family (id, client_id, subject, subject_hash, session_id, shard, salt,
            key_id, rotated_at, scope, resource, auth_time, acr, started_at, idle_expires_at,
            absolute_expires_at)
        VALUES (p_family, v_code.client_id, v_code.subject, v_code.subject_hash, v_code.session_id,
            p_shard, p_salt, p_key_id, v_now, v_code.scope, v_code.resource, v_code.auth_time, v_code.acr,
            v_now, v_now + make_interval(secs => p_idle_s),
            v_now + make_interval(secs => p_absolute_s));
        INSERT INTO outbox
            (event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data)
        VALUES (new_event_id(), 'token-lifecycle', p_shard, p_family::text, 'revocast.token.issued.v1',
            p_family::text, p_correlation_id, v_now, jsonb_build_object(
                'grant', 'authorization_code', 'family', p_family, 'session', v_code.session_id,
                'sub', v_code.subject, 'client_id', v_code.client_id, 'scope', v_code.scope,
                'aud', jsonb_build_array(v_code.resource), 'jti_hash', p_jti_hash,
                'exp', v_now + make_interval(secs => p_lifetime_s),
                'refreshable', p_refreshable, 'origin', p_origin));
    END IF;
    RETURN QUERY SELECT v_outcome, v_now, p_family, v_code.subject, v_code.session_id, v_code.scope,
        v_code.resource, v_code.nonce, v_code.auth_time, v_code.acr,
        CASE WHEN v_outcome = 'too_soon' THEN milliseconds_until_after(v_now, v_cut) END;
END
$$;

-- An authorization code for a sign-in, unless a cut came after that sign-in.
CREATE FUNCTION issue_code(
    p_code_sha256 bytea, p_client_id text, p_redirect_uri text, p_redirect_uri_given boolean,
    p_scope text, p_resource text, p_nonce text, p_code_challenge text, p_subject uuid,
    p_subject_hash text, p_session_id uuid, p_auth_time timestamptz, p_acr text, p_lifetime_s integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(issuing_lock());
    v_now := clock_timestamp();
    IF cut_of(ARRAY['subject:' || p_subject_hash, 'session:' || p_session_id, 'issuer']) >= p_auth_time
        OR cut_of(ARRAY['client:' || p_client_id]) = 'infinity' THEN
        RETURN 'cut';
    END IF;
    INSERT INTO authorization_code (code_sha256, client_id, redirect_uri, redirect_uri_given, scope,
        resource, nonce, code_challenge, subject, subject_hash, session_id, auth_time, acr, issued_at,
        expires_at)
    VALUES (p_code_sha256, p_client_id, p_redirect_uri, p_redirect_uri_given, p_scope, p_resource,
        p_nonce, p_code_challenge, p_subject, p_subject_hash, p_session_id, p_auth_time, p_acr, v_now,
        v_now + make_interval(secs => p_lifetime_s));
    RETURN 'issued';
END
$$;

-- A token for a client of its own (RFC 6749 4.4). It has no family: client, subject and jti kill it.
CREATE FUNCTION issue_for_client(
    p_client_id text, p_subject_hash text, p_scope text, p_resource text, p_lifetime_s integer,
    p_jti_hash text, p_shard integer, p_correlation_id text, p_origin jsonb
) RETURNS TABLE (outcome text, decided_at timestamptz, retry_ms bigint) LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
    v_cut timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(issuing_lock());
    v_now := clock_timestamp();
    v_cut := cut_of(ARRAY['client:' || p_client_id, 'subject:' || p_subject_hash, 'issuer']);
    IF v_cut = 'infinity' THEN
        RETURN QUERY SELECT 'cut'::text, v_now, NULL::bigint;
    ELSIF too_soon(v_now, v_cut) THEN
        RETURN QUERY SELECT 'too_soon'::text, v_now, milliseconds_until_after(v_now, v_cut);
    ELSE
        INSERT INTO outbox
            (event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data)
        VALUES (new_event_id(), 'token-lifecycle', p_shard, p_client_id, 'revocast.token.issued.v1',
            p_client_id, p_correlation_id, v_now, jsonb_build_object(
                'grant', 'client_credentials', 'sub', p_client_id, 'client_id', p_client_id,
                'scope', p_scope, 'aud', jsonb_build_array(p_resource), 'jti_hash', p_jti_hash,
                'exp', v_now + make_interval(secs => p_lifetime_s), 'refreshable', false,
                'origin', p_origin));
        RETURN QUERY SELECT 'issued'::text, v_now, NULL::bigint;
    END IF;
END
$$;

-- A kill, applied when no issuing transaction that could have missed it is still running. The same
-- kill id always gets the time of its first application, or a repeat would kill newer sign-ins.
-- `fresh` says whether this call applied it.
CREATE FUNCTION apply_cut(p_kill_id text, p_selector text, p_lasting boolean)
RETURNS TABLE (applied_at timestamptz, answered_at timestamptz, fresh boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(issuing_lock());
    RETURN QUERY UPDATE cut SET answered_at = clock_timestamp() FROM
        (SELECT kill_id, answered_at AS earlier FROM cut WHERE kill_id = p_kill_id) AS before
        WHERE cut.kill_id = before.kill_id
        RETURNING cut.applied_at, before.earlier, false;
    IF FOUND THEN
        RETURN;
    END IF;
    v_now := clock_timestamp();
    INSERT INTO cut (kill_id, selector, applied_at, lasting, answered_at)
    VALUES (p_kill_id, p_selector, v_now, p_lasting, v_now);
    RETURN QUERY SELECT v_now, v_now, true;
END
$$;

-- Whether nothing known here has killed an access token (RFC 7662): the same rule as a guard's.
CREATE FUNCTION access_token_is_live(
    p_jti_hash text, p_family uuid, p_session_id uuid, p_subject_hash text, p_client_id text,
    p_issued_at timestamptz
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT cut_of(ARRAY['jti:' || p_jti_hash, 'family:' || p_family, 'session:' || p_session_id])
            IS NULL
        AND NOT coalesce(p_issued_at <= date_trunc('second',
            cut_of(ARRAY['subject:' || p_subject_hash, 'client:' || p_client_id, 'issuer'])), false)
        AND (p_family IS NULL
            OR EXISTS (SELECT FROM family WHERE id = p_family AND state = 'active'))
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        GRANT SELECT, INSERT, UPDATE ON family TO revocast_issuer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON authorization_code TO revocast_issuer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON cut TO revocast_issuer;
    END IF;
END
$$;
