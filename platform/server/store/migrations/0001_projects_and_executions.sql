-- Tokens: @id a row's own number, @time ms since 1970 UTC, @bytes raw bytes.
-- Money is whole micro USD; booleans are 0 and 1; lists and objects are JSON text.

CREATE TABLE projects (
    id                    TEXT PRIMARY KEY,
    name                  TEXT NOT NULL,
    github_owner          TEXT NOT NULL,
    github_repo           TEXT NOT NULL,
    working_directory     TEXT,
    status                TEXT NOT NULL DEFAULT 'active',
    created_at            @time NOT NULL,
    updated_at            @time NOT NULL,
    github_api_url        TEXT NOT NULL,
    github_git_url        TEXT,
    anthropic_base_url    TEXT,
    default_branch        TEXT,
    trigger_label         TEXT NOT NULL DEFAULT 'poppo',
    label_prefix          TEXT NOT NULL DEFAULT 'poppo:',
    poll_interval_ms      BIGINT NOT NULL,
    wall_ms               BIGINT NOT NULL,
    silence_ms            BIGINT NOT NULL,
    max_concurrent        BIGINT NOT NULL DEFAULT 1,
    driver                TEXT NOT NULL DEFAULT 'claude',
    command               TEXT,
    model                 TEXT,
    permission_mode       TEXT,
    allowed_tools         TEXT,
    disallowed_tools      TEXT,
    max_turns             BIGINT NOT NULL DEFAULT 0,
    max_budget_micro_usd  BIGINT NOT NULL DEFAULT 0,
    instructions          TEXT,
    language              TEXT NOT NULL DEFAULT 'en',
    allow_workflow_files  BIGINT NOT NULL DEFAULT 0,
    node_id               TEXT,
    health                TEXT NOT NULL DEFAULT 'unknown',
    health_reason         TEXT,
    agent_state           TEXT NOT NULL DEFAULT 'stopped',
    agent_detail          TEXT,
    agent_since           @time,
    agent_pid             BIGINT,
    agent_restarts        BIGINT NOT NULL DEFAULT 0,
    created_by            TEXT,
    version               BIGINT NOT NULL DEFAULT 1
);
-- GitHub's names differ in case only for people.
CREATE UNIQUE INDEX projects_repository
    ON projects (github_api_url, lower(github_owner), lower(github_repo)) WHERE status <> 'deleted';
CREATE INDEX projects_by_name ON projects (name, id);
CREATE INDEX projects_by_status ON projects (status);

CREATE TABLE project_env_vars (
    id          @id,
    project_id  TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    value       TEXT,
    encrypted   BIGINT NOT NULL DEFAULT 0,
    UNIQUE (project_id, key)
);

CREATE TABLE secrets (
    id            @id,
    scope         TEXT NOT NULL,
    project_id    TEXT NOT NULL DEFAULT '',
    name          TEXT NOT NULL,
    version       BIGINT NOT NULL,
    kek_id        TEXT NOT NULL,
    wrapped_dek   @bytes NOT NULL,
    sealed        @bytes NOT NULL,
    created_by    TEXT,
    created_at    @time NOT NULL,
    expires_at    @time,
    last_used_at  @time,
    UNIQUE (scope, project_id, name, version)
);

CREATE TABLE work_items (
    id               @id,
    project_id       TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind             TEXT NOT NULL,
    number           BIGINT,
    item             TEXT NOT NULL,
    title            TEXT NOT NULL,
    url              TEXT,
    author           TEXT,
    session_id       TEXT,
    branch           TEXT,
    pr_number        BIGINT,
    pr_url           TEXT,
    comment_id       BIGINT,
    label_event_key  TEXT,
    seen_updated_at  TEXT,
    last_comment_at  @time,
    state            TEXT,
    created_at       @time NOT NULL,
    updated_at       @time NOT NULL,
    UNIQUE (project_id, item)
);
CREATE INDEX work_items_by_number ON work_items (project_id, number);
CREATE INDEX work_items_by_pull_request ON work_items (project_id, pr_number) WHERE pr_number IS NOT NULL;

CREATE TABLE executions (
    id                   TEXT PRIMARY KEY,
    project_id           TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    issue_number         BIGINT,
    status               TEXT NOT NULL,
    started_at           @time,
    completed_at         @time,
    logs                 TEXT,
    number               BIGINT NOT NULL,
    version              BIGINT NOT NULL DEFAULT 1,
    work_item_id         BIGINT REFERENCES work_items (id) ON DELETE SET NULL,
    title                TEXT NOT NULL,
    trigger              TEXT NOT NULL,
    requested_by         TEXT,
    dedupe_key           TEXT NOT NULL,
    prompt               TEXT,
    driver               TEXT NOT NULL,
    resume               BIGINT NOT NULL DEFAULT 0,
    priority             BIGINT NOT NULL DEFAULT 0,
    available_at         @time,
    queued_reason        TEXT,
    fence                BIGINT NOT NULL DEFAULT 0,
    attempt_count        BIGINT NOT NULL DEFAULT 0,
    lost_count           BIGINT NOT NULL DEFAULT 0,
    node_id              TEXT,
    cancel_requested_at  @time,
    cancel_by            TEXT,
    reason_kind          TEXT,
    reason               TEXT,
    summary              TEXT,
    question             TEXT,
    no_changes           BIGINT NOT NULL DEFAULT 0,
    branch               TEXT,
    base_sha             TEXT,
    head_sha             TEXT,
    pr_number            BIGINT,
    pr_url               TEXT,
    files_changed        BIGINT NOT NULL DEFAULT 0,
    insertions           BIGINT NOT NULL DEFAULT 0,
    deletions            BIGINT NOT NULL DEFAULT 0,
    session_id           TEXT,
    model                TEXT,
    num_turns            BIGINT NOT NULL DEFAULT 0,
    calls                BIGINT NOT NULL DEFAULT 0,
    input_tokens         BIGINT NOT NULL DEFAULT 0,
    output_tokens        BIGINT NOT NULL DEFAULT 0,
    cache_read_tokens    BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens   BIGINT NOT NULL DEFAULT 0,
    cost_micro_usd       BIGINT,
    log_lines            BIGINT NOT NULL DEFAULT 0,
    log_bytes            BIGINT NOT NULL DEFAULT 0,
    created_at           @time NOT NULL,
    updated_at           @time NOT NULL,
    UNIQUE (project_id, dedupe_key),
    UNIQUE (project_id, number)
);
CREATE INDEX executions_by_time ON executions (created_at, id);
CREATE INDEX executions_by_project ON executions (project_id, created_at, id);
CREATE INDEX executions_by_status ON executions (status, created_at, id);
CREATE INDEX executions_by_project_status ON executions (project_id, status, created_at, id);
CREATE INDEX executions_by_work_item ON executions (work_item_id, created_at, id);
CREATE INDEX executions_queue ON executions (status, priority DESC, created_at, id);
CREATE INDEX executions_quota ON executions (available_at) WHERE status IN ('queued', 'waiting_quota');
CREATE INDEX executions_completed ON executions (completed_at, status, cost_micro_usd) WHERE completed_at IS NOT NULL;

-- Every trigger ever taken, those included that answered an execution instead of making one.
CREATE TABLE trigger_keys (
    project_id    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    dedupe_key    TEXT NOT NULL,
    execution_id  TEXT NOT NULL,
    created_at    @time NOT NULL,
    PRIMARY KEY (project_id, dedupe_key)
);

-- Kept in step by the store with every insert and change of status.
CREATE TABLE execution_counts (
    project_id  TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    status      TEXT NOT NULL,
    count       BIGINT NOT NULL,
    PRIMARY KEY (project_id, status)
);

CREATE TABLE attempts (
    execution_id        TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    number              BIGINT NOT NULL,
    fence               BIGINT NOT NULL,
    node_id             TEXT NOT NULL,
    status              TEXT NOT NULL,
    outcome             TEXT,
    assigned_at         @time NOT NULL,
    started_at          @time,
    ended_at            @time,
    lease_until         @time,
    next_line           BIGINT NOT NULL DEFAULT 0,
    session_id          TEXT,
    reason_kind         TEXT,
    reason              TEXT,
    exit_code           BIGINT,
    exit_signal         BIGINT,
    num_turns           BIGINT NOT NULL DEFAULT 0,
    calls               BIGINT NOT NULL DEFAULT 0,
    input_tokens        BIGINT NOT NULL DEFAULT 0,
    output_tokens       BIGINT NOT NULL DEFAULT 0,
    cache_read_tokens   BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens  BIGINT NOT NULL DEFAULT 0,
    cost_micro_usd      BIGINT,
    PRIMARY KEY (execution_id, number)
);
CREATE INDEX attempts_live ON attempts (node_id) WHERE status NOT IN ('ended', 'lost');

CREATE TABLE outbox (
    id            @id,
    project_id    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    work_item_id  BIGINT NOT NULL REFERENCES work_items (id) ON DELETE CASCADE,
    execution_id  TEXT,
    kind          TEXT NOT NULL,
    payload       TEXT,
    revision      BIGINT NOT NULL DEFAULT 1,
    attempts      BIGINT NOT NULL DEFAULT 0,
    next_at       @time NOT NULL,
    last_error    TEXT,
    created_at    @time NOT NULL,
    done_at       @time
);
CREATE UNIQUE INDEX outbox_live ON outbox (work_item_id, kind) WHERE done_at IS NULL;
CREATE INDEX outbox_due ON outbox (next_at, id) WHERE done_at IS NULL;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX outbox_by_project ON outbox (project_id);

CREATE TABLE github_cache (
    project_id  TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    url         TEXT NOT NULL,
    token_hash  TEXT NOT NULL,
    etag        TEXT NOT NULL,
    link        TEXT,
    body        @bytes NOT NULL,
    seen_at     @time NOT NULL,
    PRIMARY KEY (project_id, url)
);
CREATE INDEX github_cache_by_age ON github_cache (seen_at);

CREATE TABLE github_limits (
    token_hash  TEXT PRIMARY KEY,
    remaining   BIGINT,
    reset_at    @time,
    retry_at    @time
);
