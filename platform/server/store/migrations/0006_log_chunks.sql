-- The lines of executions, where they are kept in the database instead of in files (setting log_store).
CREATE TABLE log_states (
    execution_id  TEXT PRIMARY KEY,
    lines         BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    dropped       BIGINT NOT NULL,
    birth         BIGINT NOT NULL,
    complete      BIGINT NOT NULL,
    senders       @bytes NOT NULL
);

-- Logs that go when they are old.
CREATE INDEX executions_with_log ON executions (completed_at, id) WHERE logs IS NOT NULL AND completed_at IS NOT NULL;

-- A chunk as a sender sent it, packed. What is sent again meets its key.
CREATE TABLE log_chunks (
    execution_id  TEXT NOT NULL REFERENCES log_states (execution_id) ON DELETE CASCADE,
    attempt       BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    first_line    BIGINT NOT NULL,
    first_byte    BIGINT NOT NULL,
    lines         BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    packed        @bytes NOT NULL,
    PRIMARY KEY (execution_id, attempt, seq),
    UNIQUE (execution_id, first_line)
);
