// What both peers share: the database, the session behind a token, and the page of executions as this server gives it.
import Database from 'better-sqlite3';
import jwt from 'jsonwebtoken';
import { randomBytes } from 'node:crypto';

const reasons = JSON.parse(process.env.REASONS);
const secret = randomBytes(32);
const PRIORITIES = ['low', 'normal', 'high', 'critical']; // from -1
const FINAL = new Set(['succeeded', 'failed', 'timed_out', 'budget_exhausted', 'cancelled']);

const db = new Database(process.env.DATABASE);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.pragma('cache_size = -65536');
db.pragma('mmap_size = 268435456');
db.pragma('temp_store = MEMORY');

const select = `
  SELECT e.*, p.name AS project_name, p.github_owner, p.github_repo, w.url AS issue_url,
    (SELECT coalesce(sum(a.ended_at - a.started_at), 0) FROM attempts AS a WHERE a.execution_id = e.id) AS active_ms,
    (SELECT max(a.started_at) FROM attempts AS a WHERE a.execution_id = e.id AND a.ended_at IS NULL) AS active_since
  FROM executions AS e JOIN projects AS p ON p.id = e.project_id LEFT JOIN work_items AS w ON w.id = e.work_item_id`;
const order = 'ORDER BY e.created_at DESC, e.id DESC LIMIT ?';
const statements = {
  session: db.prepare(`SELECT s.id, s.user_id, s.expires_at, s.revoked_at, u.username, u.role, u.disabled
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE s.id = ?`),
  all: db.prepare(`${select} ${order}`),
  allAfter: db.prepare(`${select} WHERE (e.created_at, e.id) < (?, ?) ${order}`),
  project: db.prepare(`${select} WHERE e.project_id = ? ${order}`),
  projectAfter: db.prepare(`${select} WHERE e.project_id = ? AND (e.created_at, e.id) < (?, ?) ${order}`),
  rename: db.prepare('UPDATE projects SET name = ?, updated_at = ?, version = version + 1 WHERE id = ?'),
  show: db.prepare('SELECT * FROM projects WHERE id = ?'),
};

export function token() {
  return jwt.sign({ sub: Number(process.env.USER_ID), sid: process.env.SESSION }, secret, { algorithm: 'HS256', expiresIn: '1d' });
}

/** Who asks, by the Authorization header; null for a token that is not ours or a session that has ended. */
export function principal(header) {
  if (!header?.startsWith('Bearer ')) return null;
  let claims;
  try {
    claims = jwt.verify(header.slice(7), secret, { algorithms: ['HS256'] });
  } catch {
    return null;
  }
  const row = statements.session.get(claims.sid);
  if (!row || row.revoked_at || row.expires_at <= Date.now() || row.user_id !== claims.sub || row.disabled) return null;
  return { id: row.user_id, username: row.username, role: row.role, session: row.id };
}

const time = (ms) => (ms === null ? null : new Date(ms).toISOString());

function reason(row) {
  return row.reason_kind === null ? null : { ...reasons[row.reason_kind], detail: row.reason };
}

function view(row) {
  return {
    id: row.id,
    number: row.number,
    project: { id: row.project_id, name: row.project_name, github_owner: row.github_owner, github_repo: row.github_repo },
    issue_number: row.issue_number,
    issue_url: row.issue_url,
    title: row.title,
    status: row.status,
    trigger: row.trigger,
    requested_by: row.requested_by,
    driver: row.driver,
    priority: PRIORITIES[row.priority + 1],
    deadline_at: time(row.deadline_at),
    labels: row.labels === null ? [] : JSON.parse(row.labels),
    queued_reason: null,
    reason: reason(row),
    summary: row.summary,
    question: row.question,
    no_changes: row.no_changes === 1,
    branch: row.branch,
    head_sha: row.head_sha,
    pull_request: row.pr_number === null ? null : { number: row.pr_number, url: row.pr_url },
    changes: { files: row.files_changed, insertions: row.insertions, deletions: row.deletions },
    session_id: row.session_id,
    model: row.model,
    attempt_count: row.attempt_count,
    usage: {
      calls: row.calls,
      input_tokens: row.input_tokens,
      output_tokens: row.output_tokens,
      cache_read_tokens: row.cache_read_tokens,
      cache_write_tokens: row.cache_write_tokens,
      num_turns: row.num_turns,
    },
    cost_usd: row.cost_micro_usd === null ? null : row.cost_micro_usd / 1e6,
    log: { lines: row.log_lines, bytes: row.log_bytes, complete: FINAL.has(row.status) },
    node_id: row.node_id,
    created_at: time(row.created_at),
    started_at: time(row.started_at),
    completed_at: time(row.completed_at),
    active_ms: row.active_ms,
    active_since: time(row.active_since),
    updated_at: time(row.updated_at),
  };
}

/** One page, newest first. */
export function page({ project, cursor, limit }) {
  const size = Math.min(Math.max(Number.parseInt(limit ?? '50', 10) || 50, 1), 200);
  const after = cursor ? Buffer.from(cursor, 'base64url').toString().split('\n') : null;
  let rows;
  if (project) rows = after ? statements.projectAfter.all(project, Number(after[0]), after[1], size + 1) : statements.project.all(project, size + 1);
  else rows = after ? statements.allAfter.all(Number(after[0]), after[1], size + 1) : statements.all.all(size + 1);
  const more = rows.length > size;
  if (more) rows.pop();
  const last = rows.at(-1);
  return { items: rows.map(view), next_cursor: more ? Buffer.from(`${last.created_at}\n${last.id}`).toString('base64url') : null };
}

/** The change that is told to everybody who watches. */
export function rename(id, name) {
  if (statements.rename.run(name, Date.now(), id).changes === 0) return null;
  return statements.show.get(id);
}

/** What this server sends with every answer. */
export const HEADERS = {
  'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

export const HEALTH = { status: 'ok', version: '0.1.0' };
