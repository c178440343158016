-- Nothing is issued before the database is level with the log, and what it takes over from the log to
-- become so (docs/decisions/0008).

-- The first statement of everything that issues. Only at READ COMMITTED has each later statement of a
-- function a snapshot of its own, taken after the lock; at any other level kills would be missed.
CREATE OR REPLACE FUNCTION begin_issuing() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'issuing needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(issuing_lock());
    PERFORM require_level();
END
$$;

-- The log is ahead. What is being issued is waited for; nothing more is issued until `note_level`.
-- Codes may have been redeemed in the time that is missing: all of them are over.
CREATE FUNCTION begin_catching_up() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(issuing_lock());
    PERFORM forget_level();
    WITH l AS MATERIALIZED (
        SELECT code_sha256 FROM authorization_code
        WHERE redeemed_at IS NULL AND expires_at > '-infinity' ORDER BY code_sha256 FOR UPDATE
    )
    UPDATE authorization_code c SET expires_at = '-infinity' FROM l
    WHERE c.code_sha256 = l.code_sha256;
END
$$;

-- A family that was started in the missing time: no refresh token of it can be proven, for its salt is
-- lost; its row lets introspection say the same of its access tokens as guards do.
CREATE FUNCTION catch_up_started(p_started jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO family (id, client_id, subject, subject_hash, session_id, shard, salt, key_id,
        rotated_at, scope, resource, auth_time, acr, started_at, idle_expires_at,
        absolute_expires_at)
    SELECT s.family, s.client_id, s.sub, s.subject_hash, s.session, s.shard,
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'lost', s.at, s.scope,
        s.resource, s.at, 'lost', s.at, s.exp, s.exp
    FROM jsonb_to_recordset(p_started) AS s (family uuid, client_id text, sub uuid,
        subject_hash text, session uuid, shard smallint, at timestamptz, scope text, resource text,
        exp timestamptz)
    ORDER BY s.family ON CONFLICT (id) DO NOTHING
$$;

-- What the log says of families, one row each: never backwards, and what ended stays ended. A client's
-- idle lifetime is read from the row; the salt never changes; the key of the current generation only
-- matters for a retry within grace, and any key proves its own tokens.
CREATE FUNCTION catch_up_families(p_told jsonb) RETURNS void LANGUAGE sql AS $$
    WITH told AS (
        SELECT * FROM jsonb_to_recordset(p_told) AS t (family uuid, generation integer,
            rotated_at timestamptz, exp timestamptz, replayed integer, replays smallint, cause text,
            ended_at timestamptz)
    ), l AS MATERIALIZED (
        SELECT f.* FROM family f JOIN told t ON t.family = f.id ORDER BY f.id FOR UPDATE OF f
    )
    UPDATE family f SET
        generation = greatest(l.generation, t.generation),
        rotated_at = CASE WHEN t.generation > l.generation THEN t.rotated_at ELSE l.rotated_at END,
        replays = CASE
            WHEN t.replayed = greatest(l.generation, t.generation) THEN
                greatest(t.replays, CASE WHEN t.generation > l.generation THEN 0 ELSE l.replays END)
            WHEN t.generation > l.generation THEN 0
            ELSE l.replays END,
        idle_expires_at = CASE
            WHEN l.key_id = 'lost' THEN greatest(l.idle_expires_at, t.exp)
            WHEN t.generation > l.generation
                THEN t.rotated_at + (l.idle_expires_at - l.rotated_at)
            ELSE l.idle_expires_at END,
        absolute_expires_at = CASE WHEN l.key_id = 'lost'
            THEN greatest(l.absolute_expires_at, t.exp) ELSE l.absolute_expires_at END,
        state = CASE WHEN t.cause IS NULL THEN l.state ELSE 'ended' END,
        cause = coalesce(l.cause, t.cause),
        ended_at = coalesce(l.ended_at, t.ended_at)
    FROM l JOIN told t ON t.family = l.id WHERE f.id = l.id
$$;

-- Cuts, under the ids and at the times that the log says. A lasting one that was made again is later.
CREATE FUNCTION catch_up_cuts(p_cuts jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO cut (kill_id, selector, applied_at, lasting, answered_at)
    SELECT DISTINCT ON (c.kill_id) c.kill_id, c.selector, c.at, c.lasting, c.at
    FROM jsonb_to_recordset(p_cuts) AS c (kill_id text, selector text, at timestamptz,
        lasting boolean)
    ORDER BY c.kill_id, c.at DESC
    ON CONFLICT (kill_id) DO UPDATE SET applied_at = greatest(cut.applied_at, excluded.applied_at)
        WHERE cut.lasting;
    UPDATE client SET disabled = true
    FROM jsonb_to_recordset(p_cuts) AS c (selector text, lasting boolean)
    WHERE c.lasting AND 'client:' || client.client_id = c.selector AND NOT client.disabled
$$;

-- What people and operators did. A secret or a password that was replaced is not taken again: the new
-- one is lost, and the old one may have been replaced because it was stolen.
CREATE FUNCTION catch_up_activity(
    p_sessions uuid[], p_consents jsonb, p_secrets text[], p_passwords uuid[], p_accounts uuid[],
    p_keys jsonb
) RETURNS void LANGUAGE sql AS $$
    DELETE FROM session WHERE id = ANY (p_sessions);
    DELETE FROM consent USING jsonb_to_recordset(p_consents)
        AS w (subject uuid, client_id text, at timestamptz)
    WHERE consent.subject = w.subject AND consent.client_id = w.client_id
        AND consent.granted_at <= w.at;
    UPDATE client SET secret_sha256 = sha256(uuid_send(gen_random_uuid()) ||
        uuid_send(gen_random_uuid()))
    WHERE client_id = ANY (p_secrets) AND secret_sha256 IS NOT NULL;
    UPDATE account SET password_hash = 'lost' WHERE subject = ANY (p_passwords);
    UPDATE account SET disabled = true WHERE subject = ANY (p_accounts);
    UPDATE signing_key k SET retired_at = least(k.retired_at, r.at)
    FROM jsonb_to_recordset(p_keys) AS r (kid text, at timestamptz) WHERE k.kid = r.kid
$$;

-- A client was enabled again: its lasting cut, unless there is a later one, lasts no more.
CREATE FUNCTION catch_up_enabled(p_client_id text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    WITH ended AS (
        DELETE FROM cut WHERE kill_id = 'disabled:client:' || p_client_id AND lasting
            AND applied_at <= p_at RETURNING selector
    ), kept AS (
        INSERT INTO cut (kill_id, selector, applied_at, lasting, answered_at)
        SELECT 'disabled:client:' || p_client_id || ':' || p_at, selector, p_at, false, p_at
        FROM ended ON CONFLICT DO NOTHING
    )
    UPDATE client SET disabled = false
    WHERE client_id = p_client_id AND EXISTS (SELECT FROM ended)
$$;
