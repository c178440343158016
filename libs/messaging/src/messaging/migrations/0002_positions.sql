-- How far each consumer has come, moved in the same transaction as what the events caused.

CREATE TABLE consumer_position (
    consumer      text     NOT NULL,
    topic         text     NOT NULL,
    partition     smallint NOT NULL,
    -- The last event that took effect; 0 and -1 where there was none.
    epoch         bigint   NOT NULL,
    seq           bigint   NOT NULL,
    -- A hint where to go on, and the record that stands before it if the topic is still the same.
    next_offset   bigint   NOT NULL,
    record_sha256 bytea    NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

DO $$
DECLARE
    v_role text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON consumer_position TO %I', v_role);
    END IF;
END
$$;
