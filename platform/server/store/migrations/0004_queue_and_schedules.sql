-- A queued row whose queued_reason is NULL may start as far as it is concerned itself; a reason of its own
-- takes it out of executions_ready, so that the scheduler never reads past rows that cannot start.
ALTER TABLE executions ADD COLUMN place @time NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN deadline_at @time;
ALTER TABLE executions ADD COLUMN labels TEXT;
ALTER TABLE executions ADD COLUMN retry_count BIGINT NOT NULL DEFAULT 0;
-- The limit that holds a queued row: "user//alice", "label/shop/db".
ALTER TABLE executions ADD COLUMN held_by TEXT;

UPDATE executions SET place = created_at WHERE completed_at IS NULL;
UPDATE executions SET available_at = NULL
    WHERE available_at IS NOT NULL AND status NOT IN ('queued', 'waiting_quota');
UPDATE executions SET queued_reason = CASE
        WHEN EXISTS (SELECT 1 FROM executions AS o WHERE o.work_item_id = executions.work_item_id
            AND o.completed_at IS NULL
            AND (o.created_at, o.id) < (executions.created_at, executions.id)) THEN 'work_item_busy'
        WHEN available_at IS NOT NULL THEN 'not_yet'
    END
    WHERE status = 'queued';

DROP INDEX executions_queue;
DROP INDEX executions_quota;
CREATE INDEX executions_ready ON executions (project_id, place, id)
    WHERE status = 'queued' AND queued_reason IS NULL;
CREATE INDEX executions_held ON executions (held_by, place, id) WHERE held_by IS NOT NULL;
CREATE INDEX executions_open ON executions (work_item_id, created_at, id) WHERE completed_at IS NULL;
CREATE INDEX executions_due ON executions (available_at) WHERE available_at IS NOT NULL;

-- Made by whoever claims, so that a claim whose outcome is not known can be looked for.
ALTER TABLE attempts ADD COLUMN claim_token TEXT;
CREATE UNIQUE INDEX attempts_by_claim ON attempts (claim_token) WHERE claim_token IS NOT NULL;

ALTER TABLE projects ADD COLUMN queue_weight BIGINT NOT NULL DEFAULT 10;
ALTER TABLE projects ADD COLUMN retry_limit BIGINT;
ALTER TABLE projects ADD COLUMN active_hours TEXT;
ALTER TABLE projects ADD COLUMN time_zone TEXT;

-- How many may work at once. project_id '' = over all projects, subject '*' = each that has no row of its own.
CREATE TABLE queue_limits (
    kind        TEXT NOT NULL,
    project_id  TEXT NOT NULL DEFAULT '',
    subject     TEXT NOT NULL,
    max         BIGINT NOT NULL,
    PRIMARY KEY (kind, project_id, subject)
);

CREATE TABLE schedules (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name               TEXT NOT NULL,
    cron               TEXT NOT NULL,
    time_zone          TEXT NOT NULL,
    enabled            BIGINT NOT NULL DEFAULT 1,
    jitter_ms          BIGINT NOT NULL DEFAULT 0,
    missed             TEXT NOT NULL DEFAULT 'run_once',
    overlap            TEXT NOT NULL DEFAULT 'skip',
    issue_number       BIGINT,
    title              TEXT,
    prompt             TEXT,
    priority           BIGINT NOT NULL DEFAULT 0,
    due_at             @time,
    next_at            @time,
    failures           BIGINT NOT NULL DEFAULT 0,
    last_at            @time,
    last_result        TEXT,
    last_detail        TEXT,
    last_execution_id  TEXT,
    created_by         TEXT,
    version            BIGINT NOT NULL DEFAULT 1,
    created_at         @time NOT NULL,
    updated_at         @time NOT NULL,
    UNIQUE (project_id, name)
);
CREATE INDEX schedules_next ON schedules (next_at, id) WHERE next_at IS NOT NULL;
