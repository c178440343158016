-- Codes, and the tokens that clients get for themselves.

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
    IF v_generation = 1 AND p_grace_ms > 0
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
    p_family uuid, p_salt bytea, p_key_id text, p_refreshable boolean, p_lifetime_s integer,
    p_idle_s integer, p_absolute_s integer, p_most integer, p_grace_ms integer, p_jti_hash text,
    p_shard integer,
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
    PERFORM begin_issuing();
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
        PERFORM make_room(v_code.subject, v_code.client_id, p_most, p_correlation_id, p_origin);
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
    PERFORM begin_issuing();
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
    PERFORM begin_issuing();
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
