-- As before, but a batch looks up the cuts of all its families at once.

-- Presentations of refresh tokens -> outcomes, at most one per family and call (design 4). Time spent
-- waiting, in the calling process (`p_waited_ms`) and for a kill, does not count against grace.
-- Families that another transaction holds are left out and come back as `locked`: a refresh that waited
-- for a row with the issuing lock in its hand would keep every kill waiting, and behind it everybody.
CREATE OR REPLACE FUNCTION rotate_families(
    p_active_key text,
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
    v_came timestamptz := clock_timestamp();
BEGIN
    PERFORM begin_issuing();
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
        ORDER BY f.id FOR UPDATE OF f SKIP LOCKED
    ), named AS MATERIALIZED (
        SELECT l.*, clock_timestamp() AS now,
            ARRAY['subject:' || l.subject_hash, 'client:' || l.client_id,
                'session:' || l.session_id, 'family:' || l.id, 'issuer'] AS selectors
        FROM l
    ), cuts AS MATERIALIZED (
        SELECT selector, CASE WHEN lasting THEN 'infinity'::timestamptz ELSE applied_at END AS cut_at
        FROM cut WHERE selector = ANY (ARRAY(SELECT unnest(selectors) FROM named))
    ), clocked AS MATERIALIZED (
        SELECT named.*, (SELECT max(cut_at) FROM cuts WHERE selector = ANY (selectors)) AS cut_at
        FROM named
    ), aged AS MATERIALIZED (
        SELECT clocked.*,
            greatest(0, milliseconds_between(rotated_at, v_came) - waited_ms) AS age_ms,
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
            WHEN presented_generation = generation - 1
                AND (age_ms > grace_ms OR grace_ms = 0) THEN 'stale'
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
            ended_at = CASE WHEN c.outcome = 'stale' THEN greatest(c.now, c.rotated_at)
                ELSE f.ended_at END,
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
                    'current_generation', c.generation, 'age_ms', c.age_ms,
                    'ended_at', greatest(c.now, c.rotated_at),
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
        coalesce(c.outcome, CASE WHEN f.id IS NOT NULL THEN 'locked' ELSE 'unproven' END),
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
