-- A statement may arrive, or wake up, long after its caller was told to try again: packets are lost, a
-- server is stopped and goes on. Its client has rotated on since, and would be taken for a thief.

-- True, or an error that undoes what was decided. Asked after the decision, when the locks are held;
-- `p_decided` is anything of its result, so that nobody asks before.
CREATE FUNCTION came_in_time(p_not_after timestamptz, p_decided anyelement) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF clock_timestamp() > p_not_after THEN
        RAISE EXCEPTION 'nobody waits for this statement' USING ERRCODE = 'query_canceled';
    END IF;
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION came_in_time FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        GRANT EXECUTE ON FUNCTION came_in_time TO revocast_issuer;
    END IF;
END
$$;
