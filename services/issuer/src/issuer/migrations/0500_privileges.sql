-- Who may do what, in one place. Three roles: the owner migrates; `revocast_issuer` is the service that
-- faces the network, and does what its statements need; `revocast_issuer_admin` is the command of the
-- operators, and alone may register clients, accounts and APIs. A new table or function is nobody's
-- until it is listed here or in a later file (tests/integration/privileges compares all of it).

-- A cut that went away, or that moved, would bring back what it killed: nobody changes one but these.
ALTER FUNCTION apply_cut(text, text, boolean) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION end_lasting(text) SECURITY DEFINER SET search_path = public, pg_temp;

-- What the log says is taken over by these alone; nothing else writes what they write.
ALTER FUNCTION catch_up_started(jsonb) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION catch_up_families(jsonb) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION catch_up_cuts(jsonb) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION catch_up_activity(uuid[], jsonb, text[], uuid[], uuid[], jsonb)
    SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION catch_up_enabled(text, timestamptz) SECURITY DEFINER SET search_path = public, pg_temp;

-- Deletes cuts from before everything that is left alive; says how many. Whoever calls this can't
-- delete one that still matters: no family lives longer than 400 days (domain/registration.py).
CREATE FUNCTION forget_cuts(p_kept interval, p_limit integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM cut WHERE kill_id = ANY (ARRAY(
            SELECT kill_id FROM cut
            WHERE applied_at < clock_timestamp() - greatest(p_kept, interval '400 days')
                AND NOT lasting
            ORDER BY applied_at LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- The same for cuts of single tokens, which live for 15 minutes at most.
CREATE FUNCTION forget_token_cuts(p_kept interval, p_limit integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM cut WHERE kill_id = ANY (ARRAY(
            SELECT kill_id FROM cut
            WHERE selector LIKE 'jti:%'
                AND applied_at < clock_timestamp() - greatest(p_kept, interval '1 hour')
            ORDER BY applied_at LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer') THEN
        REVOKE ALL ON family, authorization_code, cut, client, resource, signing_key, account, session,
            consent, guess, known_browser, level, outbox, relay_lease, relay_batch, relay_epoch,
            consumer_position FROM revocast_issuer;
        -- An event that was written is never changed, nor removed but with its day (tend_outbox).
        GRANT SELECT, INSERT ON outbox, relay_epoch TO revocast_issuer;
        GRANT SELECT, INSERT, DELETE ON relay_batch TO revocast_issuer;
        GRANT SELECT, UPDATE (owner, expires_at) ON relay_lease TO revocast_issuer;
        GRANT USAGE ON SEQUENCE outbox_id TO revocast_issuer;
        GRANT EXECUTE ON FUNCTION tend_outbox TO revocast_issuer;
        -- What a family is never changes: whose it is, its salt, its scope, when it began and ends.
        GRANT SELECT, INSERT, DELETE, UPDATE (generation, key_id, rotated_at, replays, idle_expires_at,
            state, cause, ended_at, denied_at, denied_count) ON family TO revocast_issuer;
        GRANT SELECT, INSERT, DELETE, UPDATE (redeemed_at, family_id, expires_at)
            ON authorization_code TO revocast_issuer;
        GRANT SELECT, INSERT ON cut TO revocast_issuer;
        GRANT SELECT ON client, resource TO revocast_issuer;
        GRANT SELECT, INSERT ON signing_key TO revocast_issuer;
        -- A password that was right is hashed anew where the parameters have changed.
        GRANT SELECT, UPDATE (password_hash) ON account TO revocast_issuer;
        GRANT SELECT, INSERT, DELETE,
            UPDATE (cookie_sha256, auth_time, acr, idle_expires_at, absolute_expires_at)
            ON session TO revocast_issuer;
        GRANT SELECT, INSERT, DELETE, UPDATE (scopes, granted_at) ON consent TO revocast_issuer;
        GRANT SELECT, INSERT, DELETE, UPDATE ON guess TO revocast_issuer;
        GRANT SELECT, INSERT, DELETE, UPDATE (seen_at) ON known_browser TO revocast_issuer;
        GRANT EXECUTE ON FUNCTION
            issuing_lock, begin_issuing, cut_of, too_soon, milliseconds_between,
            milliseconds_until_after, new_event_id, rotate_families, end_families, end_authorizations,
            make_room, answer_replayed_code, redeem_code, issue_code, issue_for_client,
            access_token_is_live, apply_cut, forget_cuts, forget_token_cuts,
            is_level, require_level, note_level, forget_level, begin_catching_up, catch_up_started,
            catch_up_families, catch_up_cuts, catch_up_activity, catch_up_enabled
            TO revocast_issuer;
        GRANT SELECT, INSERT, UPDATE, DELETE ON level TO revocast_issuer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_issuer_admin') THEN
        GRANT SELECT, INSERT ON client, resource, account, signing_key TO revocast_issuer_admin;
        GRANT UPDATE ON client TO revocast_issuer_admin;
        GRANT UPDATE (profile, alg, scopes) ON resource TO revocast_issuer_admin;
        GRANT UPDATE (password_hash) ON account TO revocast_issuer_admin;
        GRANT UPDATE (retired_at) ON signing_key TO revocast_issuer_admin;
        GRANT INSERT ON outbox TO revocast_issuer_admin;
        GRANT USAGE ON SEQUENCE outbox_id TO revocast_issuer_admin;
        GRANT EXECUTE ON FUNCTION apply_cut, end_lasting TO revocast_issuer_admin;
    END IF;
END
$$;
