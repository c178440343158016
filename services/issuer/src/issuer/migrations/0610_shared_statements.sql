-- What many callers ask at the same time is decided in one statement, and a code takes fewer of them.
-- The functions for one call at a time stay: replicas of the version before still call them.

-- Tokens for clients of their own (RFC 6749 4.4), decided one by one, in order. They have no family:
-- client, subject and jti kill them.
CREATE FUNCTION issue_for_clients(
    p_client_id text[], p_subject_hash text[], p_scope text[], p_resource text[],
    p_lifetime_s integer[], p_jti_hash text[], p_shard integer[], p_correlation_id text[],
    p_origin jsonb[]
) RETURNS TABLE (outcome text, decided_at timestamptz, retry_ms bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_issuing();
    RETURN QUERY
    WITH asked AS (
        SELECT * FROM unnest(
            p_client_id, p_subject_hash, p_scope, p_resource, p_lifetime_s, p_jti_hash, p_shard,
            p_correlation_id, p_origin
        ) WITH ORDINALITY AS a (
            client_id, subject_hash, scope, resource, lifetime_s, jti_hash, shard,
            correlation_id, origin, n
        )
    ), whose AS MATERIALIZED (
        SELECT client_id, subject_hash,
            cut_of(ARRAY['client:' || client_id, 'subject:' || subject_hash, 'issuer']) AS cut_at
        FROM (SELECT DISTINCT client_id, subject_hash FROM asked) AS each
    ), clocked AS MATERIALIZED (
        SELECT asked.*, whose.cut_at, clock_timestamp() AS now
        FROM asked JOIN whose USING (client_id, subject_hash) ORDER BY asked.n
    ), decided AS MATERIALIZED (
        SELECT clocked.*, CASE
            WHEN cut_at = 'infinity' THEN 'cut'
            WHEN too_soon(now, cut_at) THEN 'too_soon'
            ELSE 'issued' END AS outcome
        FROM clocked
    ), written AS (
        INSERT INTO outbox
            (event_id, topic, shard, key, type, subject, correlation_id, occurred_at, data)
        SELECT new_event_id(), 'token-lifecycle', d.shard, d.client_id, 'revocast.token.issued.v1',
            d.client_id, d.correlation_id, d.now, jsonb_build_object(
                'grant', 'client_credentials', 'sub', d.client_id, 'client_id', d.client_id,
                'scope', d.scope, 'aud', jsonb_build_array(d.resource), 'jti_hash', d.jti_hash,
                'exp', d.now + make_interval(secs => d.lifetime_s), 'refreshable', false,
                'origin', d.origin)
        FROM decided d WHERE d.outcome = 'issued' ORDER BY d.n
    )
    SELECT d.outcome, d.now,
        CASE WHEN d.outcome = 'too_soon' THEN milliseconds_until_after(d.now, d.cut_at) END
    FROM decided d ORDER BY d.n;
END
$$;

-- Of each access token, in order: whether nothing known here has killed it (RFC 7662): the same rule
-- as a guard's. A database that may not know of a kill answers nothing: it says so first, and reads
-- cuts and families in a later snapshot than that.
CREATE FUNCTION access_tokens_are_live(
    p_jti_hash text[], p_family uuid[], p_session_id uuid[], p_subject_hash text[],
    p_client_id text[], p_issued_at timestamptz[]
) RETURNS boolean[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_level();
    RETURN (
        WITH asked AS MATERIALIZED (
            SELECT n, family, issued_at,
                ARRAY['jti:' || jti_hash, 'family:' || family, 'session:' || session_id] AS whole,
                ARRAY['subject:' || subject_hash, 'client:' || client_id, 'issuer'] AS earlier
            FROM unnest(p_jti_hash, p_family, p_session_id, p_subject_hash, p_client_id, p_issued_at)
                WITH ORDINALITY AS a
                (jti_hash, family, session_id, subject_hash, client_id, issued_at, n)
        ), cuts AS MATERIALIZED (
            SELECT selector, CASE WHEN lasting THEN 'infinity'::timestamptz ELSE applied_at END AS cut_at
            FROM cut WHERE selector = ANY (ARRAY(SELECT unnest(whole || earlier) FROM asked))
        )
        SELECT array_agg(
            NOT EXISTS (SELECT FROM cuts c WHERE c.selector = ANY (a.whole)
                OR (c.selector = ANY (a.earlier)
                    AND a.issued_at <= date_trunc('second', c.cut_at)))
            AND (a.family IS NULL OR coalesce(f.state = 'active', false)) ORDER BY a.n)
        FROM asked a LEFT JOIN family f ON f.id = a.family);
END
$$;

-- The scopes that a person has allowed a client at a resource; they stay allowed until the transaction
-- ends. The issuing lock comes first, as with whoever remembers a consent after issuing its code.
CREATE FUNCTION hold_consent(p_subject uuid, p_client_id text, p_resource text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_scopes text[];
BEGIN
    PERFORM begin_issuing();
    SELECT scopes INTO v_scopes FROM consent
    WHERE subject = p_subject AND client_id = p_client_id AND resource = p_resource FOR SHARE;
    RETURN v_scopes;
END
$$;

-- Ends something only where there is something to end.
-- Makes room for one more live family of a person at a client: the oldest end. One at a time for each
-- person and client, or two that come at once would both see room.
CREATE OR REPLACE FUNCTION make_room(
    p_subject uuid, p_client_id text, p_most integer, p_correlation_id text, p_origin jsonb
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_too_many uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(73815, hashtext(p_subject || ' ' || p_client_id));
    v_too_many := ARRAY(
        SELECT id FROM family
        WHERE subject = p_subject AND client_id = p_client_id AND state = 'active'
            AND clock_timestamp() < least(idle_expires_at, absolute_expires_at)
        ORDER BY started_at DESC, id DESC OFFSET p_most - 1);
    IF cardinality(v_too_many) > 0 THEN
        PERFORM end_families(v_too_many, 'too_many', p_correlation_id, p_origin);
    END IF;
END
$$;

REVOKE ALL ON FUNCTION issue_for_clients, access_tokens_are_live, hold_consent FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        GRANT EXECUTE ON FUNCTION issue_for_clients, access_tokens_are_live, hold_consent
            TO revocast_issuer;
    END IF;
END
$$;
