-- What people said to executions on GitHub; a question is kept with its answer.
CREATE TABLE remarks (
    execution_id  TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    question      TEXT,
    text          TEXT NOT NULL,
    said_by       TEXT NOT NULL,
    url           TEXT,
    said_at       @time NOT NULL,
    PRIMARY KEY (execution_id, number)
);
