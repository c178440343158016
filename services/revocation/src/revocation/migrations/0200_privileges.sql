-- Who may do what: the owner migrates, the service does what its statements need. A decision never
-- changes, but for when it was applied; an entry's selector and cause never do.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_revocation') THEN
        REVOKE ALL ON lineage, kill, entry, watermark, outbox, relay_lease, relay_batch, relay_epoch,
            consumer_position FROM revocast_revocation;
        -- An event that was written is never changed, nor removed but with its day (tend_outbox).
        GRANT SELECT, INSERT ON outbox, relay_epoch TO revocast_revocation;
        GRANT SELECT, INSERT, DELETE ON relay_batch TO revocast_revocation;
        GRANT SELECT, UPDATE (owner, expires_at) ON relay_lease TO revocast_revocation;
        GRANT USAGE ON SEQUENCE outbox_id TO revocast_revocation;
        GRANT EXECUTE ON FUNCTION tend_outbox, is_level, note_level, forget_level
            TO revocast_revocation;
        GRANT SELECT, INSERT, UPDATE, DELETE ON level TO revocast_revocation;
        GRANT SELECT, INSERT, UPDATE (epoch, seq, next_offset, record_sha256)
            ON consumer_position TO revocast_revocation;
        GRANT SELECT, INSERT, DELETE ON lineage, kill, entry TO revocast_revocation;
        GRANT SELECT, INSERT ON watermark TO revocast_revocation;
        GRANT UPDATE (epoch, seq, at, generation, rotated_by, network, replayed_generation, replays,
            ended, seen_at) ON lineage TO revocast_revocation;
        GRANT UPDATE (applied_at) ON kill TO revocast_revocation;
        GRANT UPDATE (state, not_before, expires_at, sent_at) ON entry TO revocast_revocation;
        GRANT UPDATE (complete_through) ON watermark TO revocast_revocation;
    END IF;
END
$$;
