-- Two roles for two halves of the service: `revocast_audit` appends, `revocast_audit_reader` answers
-- queries and can write nothing, whatever a query could be made to say.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_audit') THEN
        REVOKE ALL ON retention, outbox, relay_lease, relay_batch, relay_epoch, consumer_position
            FROM revocast_audit;
        REVOKE ALL ON SEQUENCE outbox_id FROM revocast_audit;
        REVOKE ALL ON FUNCTION tend_outbox FROM revocast_audit;
        GRANT SELECT, INSERT, UPDATE (epoch, seq, next_offset, record_sha256)
            ON consumer_position TO revocast_audit;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'revocast_audit_reader') THEN
        GRANT SELECT ON record TO revocast_audit_reader;
    END IF;
END
$$;
