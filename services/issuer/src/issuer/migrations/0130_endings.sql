-- Endings of families other than by reuse.

-- Ends those of the families that are active, locked in the order of their ids; says how many. Should
-- the clock have gone back, an end is still no earlier than the family's last token.
CREATE FUNCTION end_families(
    p_families uuid[], p_cause text, p_correlation_id text, p_origin jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_ended integer;
BEGIN
    WITH l AS MATERIALIZED (
        SELECT f.* FROM family f WHERE f.id = ANY (p_families) ORDER BY f.id FOR UPDATE OF f
    ), clocked AS MATERIALIZED (
        SELECT l.*, greatest(clock_timestamp(), l.rotated_at) AS now FROM l
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
    WITH l AS MATERIALIZED (
        SELECT code_sha256 FROM authorization_code
        WHERE redeemed_at IS NULL AND (session_id = p_session_id
            OR (subject = p_subject AND client_id = p_client_id))
        ORDER BY code_sha256 FOR UPDATE
    )
    UPDATE authorization_code c SET expires_at = '-infinity' FROM l
    WHERE c.code_sha256 = l.code_sha256;
    RETURN end_families(ARRAY(
        SELECT id FROM family WHERE state = 'active' AND (session_id = p_session_id
            OR (subject = p_subject AND client_id = p_client_id))),
        p_cause, p_correlation_id, p_origin);
END
$$;

-- Makes room for one more live family of a person at a client: the oldest end. One at a time for each
-- person and client, or two that come at once would both see room.
CREATE FUNCTION make_room(
    p_subject uuid, p_client_id text, p_most integer, p_correlation_id text, p_origin jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(73815, hashtext(p_subject || ' ' || p_client_id));
    PERFORM end_families(ARRAY(
        SELECT id FROM family
        WHERE subject = p_subject AND client_id = p_client_id AND state = 'active'
            AND clock_timestamp() < least(idle_expires_at, absolute_expires_at)
        ORDER BY started_at DESC, id DESC OFFSET p_most - 1),
        'too_many', p_correlation_id, p_origin);
END
$$;
