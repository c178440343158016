-- Cuts, and the lock between kills and everything that issues.
--
-- Every function that issues something takes ISSUING as a shared advisory lock in its first
-- statement; a kill takes it exclusively. Each later statement of a function has a snapshot of its
-- own, taken after that lock, so a cut that was answered as applied is seen by every later decision.

CREATE FUNCTION issuing_lock() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 7381520019 $$;

-- The first statement of everything that issues. Only at READ COMMITTED has each later statement of a
-- function a snapshot of its own, taken after the lock; at any other level kills would be missed.
CREATE FUNCTION begin_issuing() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'issuing needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(issuing_lock());
END
$$;

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

-- Now, or the time of the latest decision where the clock has gone back since (a fail-over to a machine
-- that is behind): a cut at this moment is later than everything that was issued before it.
CREATE FUNCTION latest_moment() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT greatest(
        clock_timestamp(),
        (SELECT max(issued_at) FROM authorization_code),
        (SELECT max(occurred_at) FROM
            (SELECT occurred_at, type FROM outbox ORDER BY id DESC LIMIT 1000) AS late
            WHERE type <> 'revocast.guess.counted.v1'))
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
    v_now := latest_moment();
    INSERT INTO cut (kill_id, selector, applied_at, lasting, answered_at)
    VALUES (p_kill_id, p_selector, v_now, p_lasting, v_now);
    RETURN QUERY SELECT v_now, v_now, true;
END
$$;

-- Something that was disabled is enabled again: what is older than this moment stays dead. The cut is
-- lasting no more and keeps its place under another id, for a second disabling is a cut of its own.
CREATE FUNCTION end_lasting(p_kill_id text) RETURNS void LANGUAGE sql AS $$
    UPDATE cut SET lasting = false, applied_at = greatest(applied_at, latest_moment()),
        kill_id = kill_id || ':' || clock_timestamp()
    WHERE kill_id = p_kill_id AND lasting
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
