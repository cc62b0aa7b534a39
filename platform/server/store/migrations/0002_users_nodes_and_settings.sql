CREATE TABLE users (
    id             @id,
    username       TEXT UNIQUE NOT NULL,
    password_hash  TEXT NOT NULL,
    role           TEXT NOT NULL DEFAULT 'user',
    created_at     @time NOT NULL,
    language       TEXT,
    disabled       BIGINT NOT NULL DEFAULT 0,
    last_login_at  @time
);
CREATE UNIQUE INDEX users_any_case ON users (lower(username));

CREATE TABLE sessions (
    id             TEXT PRIMARY KEY,
    user_id        BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    refresh_hash   TEXT NOT NULL,
    previous_hash  TEXT,
    rotated_at     @time,
    created_at     @time NOT NULL,
    expires_at     @time NOT NULL,
    last_seen_at   @time,
    address        TEXT,
    user_agent     TEXT,
    revoked_at     @time
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE nodes (
    id            TEXT PRIMARY KEY,
    name          TEXT UNIQUE NOT NULL,
    key_sha256    TEXT UNIQUE NOT NULL,
    status        TEXT NOT NULL DEFAULT 'offline',
    version       TEXT,
    boot_id       TEXT,
    capacity      TEXT,
    load          TEXT,
    isolation     TEXT,
    last_seen_at  @time,
    created_at    @time NOT NULL
);

CREATE TABLE settings (
    key         TEXT PRIMARY KEY,
    value       TEXT NOT NULL,
    updated_at  @time NOT NULL
);

CREATE TABLE audit_log (
    id          @id,
    at          @time NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    object      TEXT,
    detail      TEXT,
    address     TEXT,
    request_id  TEXT
);
CREATE INDEX audit_log_by_object ON audit_log (object, id);
