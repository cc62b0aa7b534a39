// The REST operations the platform (and any ordinary client) uses, as a table. A handler gets the call
// { state, repo, login, scopes, params, query, body, at } and returns { status, body } or a list to be paged.
import * as shape from './shapes.mjs';

export class Refusal extends Error {
  constructor(status, message, errors) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}
const refuse = (status, message, errors) => {
  throw new Refusal(status, message, errors);
};
const invalid = (resource, field, code, message) => refuse(422, message ?? 'Validation Failed', [{ resource, field, code, ...(message && { message }) }]);

const BODY_MAX = 65_536;
const hex = /^[0-9a-fA-F]{6}$/;

const ROUTES = [
  ['GET', '/user', ({ state, login, at }) => ok(shape.privateUser(state.data.users[login], at))],
  ['GET', '/rate_limit', () => ok(rateLimit())],
  ['GET', '/meta', () => ok({ verifiable_password_authentication: false })],
  ['GET', '/repos/:owner/:repo', ({ state, repo, login, at }) => ok(shape.repository(seen(state, repo), at, permissionsOf(state, repo, login)))],
  ['GET', '/repos/:owner/:repo/collaborators/:login/permission', permission, 'write'],
  ['GET', '/repos/:owner/:repo/branches/:branch', branch],
  ['GET', '/repos/:owner/:repo/labels', ({ repo, at }) => repo.labels.map((l) => shape.label(l, repo, at))],
  ['POST', '/repos/:owner/:repo/labels', createLabel, 'write'],
  ['GET', '/repos/:owner/:repo/labels/:name', ({ repo, params, at }) => ok(shape.label(labelNamed(repo, params.name), repo, at))],
  ['GET', '/repos/:owner/:repo/issues', listIssues],
  ['POST', '/repos/:owner/:repo/issues', createIssue],
  ['GET', '/repos/:owner/:repo/issues/comments', listRepoComments],
  ['GET', '/repos/:owner/:repo/issues/comments/:id', ({ repo, params, at, state }) => ok(comment(state, commentById(repo, params.id), repo, at))],
  ['PATCH', '/repos/:owner/:repo/issues/comments/:id', editComment],
  ['GET', '/repos/:owner/:repo/issues/:number', ({ state, repo, params, at }) => ok(shape.issue(full(state, repo, issueOf(repo, params)), repo, at))],
  ['PATCH', '/repos/:owner/:repo/issues/:number', editIssue, 'triage'],
  ['GET', '/repos/:owner/:repo/issues/:number/comments', listComments],
  ['POST', '/repos/:owner/:repo/issues/:number/comments', createComment],
  ['GET', '/repos/:owner/:repo/issues/:number/labels', ({ repo, params, at }) => issueOf(repo, params).labels.map((name) => shape.label(labelNamed(repo, name), repo, at))],
  ['POST', '/repos/:owner/:repo/issues/:number/labels', addLabels, 'triage'],
  ['DELETE', '/repos/:owner/:repo/issues/:number/labels/:name', removeLabel, 'triage'],
  ['GET', '/repos/:owner/:repo/issues/:number/events', ({ state, repo, params, at }) => eventsOf(state, repo, issueOf(repo, params)).map((e) => shape.labelEvent(e, repo, at))],
  ['GET', '/repos/:owner/:repo/issues/:number/timeline', timeline],
  ['GET', '/repos/:owner/:repo/issues/:number/reactions', ({ state, repo, params, at }) => reactionsOf(state, issueOf(repo, params)).map((x) => shape.reaction(x, at))],
  ['POST', '/repos/:owner/:repo/issues/:number/reactions', addReaction],
  ['GET', '/repos/:owner/:repo/pulls', listPulls],
  ['POST', '/repos/:owner/:repo/pulls', createPull, 'write'],
  ['GET', '/repos/:owner/:repo/pulls/comments', () => []],
  ['GET', '/repos/:owner/:repo/pulls/:number', ({ state, repo, params, at }) => ok(shape.pull(pullOf(state, repo, params.number, true), seen(state, repo), at, true))],
  ['PATCH', '/repos/:owner/:repo/pulls/:number', editPull, 'write'],
  ['GET', '/repos/:owner/:repo/pulls/:number/comments', () => []],
].map(([method, path, handle, least = 'read']) => {
  const names = [...path.matchAll(/:(\w+)/g)].map((m) => m[1]);
  return { method, names, handle, least, pattern: new RegExp(`^${path.replace(/:\w+/g, '([^/]+)')}$`) };
});

export function findRoute(method, path) {
  for (const route of ROUTES) {
    const match = method === route.method && route.pattern.exec(path);
    if (match) return { ...route, params: Object.fromEntries(route.names.map((name, i) => [name, decodeURIComponent(match[i + 1])])) };
  }
  return null;
}

const ok = (body, status = 200) => ({ status, body });

function rateLimit() {
  const rate = { limit: 5000, used: 1, remaining: 4999, reset: Math.ceil(Date.now() / 1000) + 3600 };
  return { resources: { core: rate, search: { ...rate, limit: 30, remaining: 29 }, graphql: rate }, rate };
}

function seen(state, repo) {
  return { ...repo, ownerUser: state.data.users[repo.owner], open_issues: Object.values(repo.issues).filter((i) => i.state === 'open').length, size: state.tip(repo, repo.default_branch) ? 1 : 0 };
}

function permissionsOf(state, repo, login) {
  const may = (least) => state.may(repo, login, least);
  return { admin: may('admin'), maintain: may('maintain'), push: may('write'), triage: may('triage'), pull: may('read') };
}

function permission({ state, repo, params, at }) {
  const who = state.data.users[params.login] ?? refuse(404, `${params.login} is not a user`);
  const role = state.permission(repo, params.login);
  const simple = { maintain: 'write', triage: 'read' }[role] ?? role;
  return ok({ permission: simple, role_name: role, user: { ...shape.user(who, at), permissions: permissionsOf(state, repo, params.login), role_name: role } });
}

function branch({ state, repo, params, at }) {
  const sha = state.tip(repo, params.branch) ?? refuse(404, 'Branch not found');
  const url = `${at.api}/repos/${repo.owner}/${repo.name}`;
  const who = { name: 'Octo Cat', email: 'octo@example.com', date: repo.created_at };
  const commit = { author: who, committer: who, message: '', tree: { sha, url: `${url}/git/trees/${sha}` }, url: `${url}/git/commits/${sha}`, comment_count: 0, verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null } };
  return ok({
    name: params.branch, commit: { sha, node_id: sha, commit, url: `${url}/commits/${sha}`, html_url: `${at.html}/${repo.owner}/${repo.name}/commit/${sha}`, comments_url: `${url}/commits/${sha}/comments`, author: null, committer: null, parents: [] },
    _links: { self: `${url}/branches/${params.branch}`, html: `${at.html}/${repo.owner}/${repo.name}/tree/${params.branch}` }, protected: false,
    protection: {}, protection_url: `${url}/branches/${params.branch}/protection`,
  });
}

function issueOf(repo, params) {
  const issue = repo.issues[params.number] ?? refuse(404, 'Not Found');
  if (issue.deleted) refuse(410, 'This issue was deleted');
  return issue;
}

function labelNamed(repo, name) {
  return repo.labels.find((l) => l.name.toLowerCase() === name.toLowerCase()) ?? refuse(404, 'Not Found');
}

function full(state, repo, issue) {
  return {
    ...issue, user: state.data.users[issue.login], labels: issue.labels.map((name) => labelNamed(repo, name)),
    comments: repo.comments.filter((c) => c.number === issue.number).length, reactions: reactionsOf(state, issue),
    pull: issue.isPull ? { draft: repo.pulls[issue.number].draft } : null,
  };
}

const reactionsOf = (state, issue) => (issue.reactions ?? []).map((x) => ({ ...x, user: state.data.users[x.login] }));
const eventsOf = (state, repo, issue) => repo.events.filter((e) => e.number === issue.number).map((e) => ({ ...e, actor: state.data.users[e.login] }));
const comment = (state, c, repo, at) => shape.comment({ ...c, user: state.data.users[c.login] }, repo, at);
const commentById = (repo, id) => repo.comments.find((c) => c.id === Number(id)) ?? refuse(404, 'Not Found');

function createLabel({ state, repo, body, at }) {
  if (!body?.name || body.name.length > 50) invalid('Label', 'name', 'invalid');
  if (body.color !== undefined && !hex.test(body.color)) invalid('Label', 'color', 'invalid');
  if ((body.description ?? '').length > 100) invalid('Label', 'description', 'invalid');
  if (repo.labels.some((l) => l.name.toLowerCase() === body.name.toLowerCase())) invalid('Label', 'name', 'already_exists');
  const made = state.ensureLabel(repo, body.name, body);
  state.save();
  return ok(shape.label(made, repo, at), 201);
}

function listIssues({ state, repo, query, at }) {
  if (!repo.has_issues) refuse(410, 'Issues has been disabled in this repository.');
  const labels = (query.get('labels') ?? '').split(',').filter(Boolean).map((l) => l.toLowerCase());
  const wanted = query.get('state') ?? 'open';
  const since = query.get('since');
  const by = query.get('sort') === 'updated' ? 'updated_at' : 'created_at';
  const down = (query.get('direction') ?? 'desc') === 'desc' ? -1 : 1;
  return Object.values(repo.issues)
    .filter((i) => !i.deleted && (wanted === 'all' || i.state === wanted))
    .filter((i) => labels.every((l) => i.labels.some((own) => own.toLowerCase() === l)))
    .filter((i) => !since || i.updated_at >= since)
    .sort((a, b) => down * (a[by].localeCompare(b[by]) || a.number - b.number))
    .map((i) => shape.issue(full(state, repo, i), repo, at));
}

function createIssue({ state, repo, login, body, at }) {
  if (!body?.title) invalid('Issue', 'title', 'missing_field');
  const labels = state.may(repo, login, 'triage') ? (body.labels ?? []).map((l) => l.name ?? l) : [];
  const made = state.addIssue(repo, login, { ...body, labels });
  return ok(shape.issue(full(state, repo, made), repo, at), 201);
}

function editIssue({ state, repo, params, body, at }) {
  const issue = issueOf(repo, params);
  if (body?.title) issue.title = body.title;
  if (body?.body !== undefined) issue.body = body.body;
  if (body?.state && body.state !== issue.state) {
    issue.state = body.state;
    issue.closed_at = body.state === 'closed' ? state.now() : null;
    issue.state_reason = body.state_reason ?? null;
  }
  issue.updated_at = state.now();
  state.save();
  return ok(shape.issue(full(state, repo, issue), repo, at));
}

const newSince = (query) => (c) => !query.get('since') || c.updated_at >= query.get('since');

function listRepoComments({ state, repo, query, at }) {
  const by = query.get('sort') === 'updated' ? 'updated_at' : 'created_at';
  const down = query.get('direction') === 'desc' ? -1 : 1;
  return repo.comments.filter(newSince(query)).sort((a, b) => down * (a[by].localeCompare(b[by]) || a.id - b.id)).map((c) => comment(state, c, repo, at));
}

function listComments({ state, repo, params, query, at }) {
  const { number } = issueOf(repo, params);
  return repo.comments.filter((c) => c.number === number).filter(newSince(query)).map((c) => comment(state, c, repo, at));
}

function needBody(body) {
  if (typeof body?.body !== 'string' || !body.body.trim()) invalid('IssueComment', 'body', 'missing_field');
  if ([...body.body].length > BODY_MAX) invalid('IssueComment', 'body', 'unprocessable', `Body is too long (maximum is ${BODY_MAX} characters)`);
}

function createComment({ state, repo, login, params, body, at }) {
  needBody(body);
  const issue = issueOf(repo, params);
  return ok(comment(state, state.addComment(repo, issue.number, login, body.body), repo, at), 201);
}

function editComment({ state, repo, login, params, body, at }) {
  needBody(body);
  const found = commentById(repo, params.id);
  if (found.login !== login && !state.may(repo, login, 'write')) refuse(403, 'Must have admin rights to Repository.');
  found.body = body.body;
  found.updated_at = state.now();
  state.save();
  return ok(comment(state, found, repo, at));
}

function addLabels({ state, repo, login, params, body, at }) {
  const issue = issueOf(repo, params);
  const names = (Array.isArray(body) ? body : (body?.labels ?? [])).map((l) => l.name ?? l);
  if (names.some((name) => !name || name.length > 50)) invalid('Label', 'name', 'invalid');
  for (const name of names) state.label(repo, issue.number, name, login);
  return { status: 200, body: issue.labels.map((name) => shape.label(labelNamed(repo, name), repo, at)) };
}

function removeLabel({ state, repo, login, params, at }) {
  const issue = issueOf(repo, params);
  if (!state.unlabel(repo, issue.number, params.name, login)) refuse(404, 'Label does not exist');
  return { status: 200, body: issue.labels.map((name) => shape.label(labelNamed(repo, name), repo, at)) };
}

function timeline({ state, repo, params, at }) {
  const issue = issueOf(repo, params);
  const comments = repo.comments.filter((c) => c.number === issue.number).map((c) => ({ ...c, user: state.data.users[c.login] }));
  return [...eventsOf(state, repo, issue).map((e) => shape.labelEvent(e, repo, at)), ...comments.map((c) => shape.commentEvent(c, repo, at))]
    .sort((a, b) => a.created_at.localeCompare(b.created_at) || a.id - b.id);
}

function addReaction({ state, repo, login, params, body, at }) {
  const issue = issueOf(repo, params);
  if (!['+1', '-1', 'laugh', 'confused', 'heart', 'hooray', 'rocket', 'eyes'].includes(body?.content)) invalid('Reaction', 'content', 'invalid');
  let found = issue.reactions.find((x) => x.login === login && x.content === body.content);
  const status = found ? 200 : 201;
  if (!found) {
    found = { id: state.id(), login, content: body.content, created_at: state.now() };
    issue.reactions.push(found);
    state.save();
  }
  return ok(shape.reaction({ ...found, user: state.data.users[login] }, at), status);
}

export function pullOf(state, repo, number, whole) {
  const pull = repo.pulls[number] ?? refuse(404, 'Not Found');
  const issue = repo.issues[number];
  const head_sha = state.tip(repo, pull.head) ?? pull.last_sha ?? '0'.repeat(40);
  const base_sha = state.tip(repo, pull.base) ?? '0'.repeat(40);
  const made = { ...full(state, repo, issue), ...pull, user: state.data.users[issue.login], head_sha, base_sha };
  return whole ? { ...made, ...sizeOf(state, repo, pull) } : made;
}

function sizeOf(state, repo, pull) {
  const stat = state.git(repo, 'diff', '--numstat', `${pull.base}...${pull.head}`).split('\n').filter(Boolean).map((line) => line.split('\t'));
  const sum = (column) => stat.reduce((total, row) => total + (Number(row[column]) || 0), 0);
  return { additions: sum(0), deletions: sum(1), changed_files: stat.length, commits: Number(state.git(repo, 'rev-list', '--count', `${pull.base}..${pull.head}`)) };
}

function listPulls({ state, repo, query, at }) {
  const wanted = query.get('state') ?? 'open';
  const [, head] = (query.get('head') ?? '').split(':');
  return Object.values(repo.pulls)
    .map((p) => pullOf(state, repo, p.number))
    .filter((p) => (wanted === 'all' || p.state === wanted) && (!head || p.head === head) && (!query.get('base') || p.base === query.get('base')))
    .sort((a, b) => b.number - a.number)
    .map((p) => shape.pull(p, seen(state, repo), at));
}

function createPull({ state, repo, login, body, at }) {
  const head = (body?.head ?? '').replace(`${repo.owner}:`, '');
  if (!body?.title) invalid('PullRequest', 'title', 'missing_field');
  if (!state.tip(repo, head)) invalid('PullRequest', 'head', 'invalid');
  if (!state.tip(repo, body.base)) invalid('PullRequest', 'base', 'invalid');
  if (Object.values(repo.pulls).some((p) => p.head === head && p.base === body.base && repo.issues[p.number].state === 'open')) {
    refuse(422, 'Validation Failed', [{ resource: 'PullRequest', code: 'custom', message: `A pull request already exists for ${repo.owner}:${head}.` }]);
  }
  if (state.git(repo, 'rev-list', '--count', `${body.base}..${head}`) === '0') {
    refuse(422, 'Validation Failed', [{ resource: 'PullRequest', code: 'custom', message: `No commits between ${body.base} and ${head}` }]);
  }
  if (repo.no_drafts && body.draft) refuse(422, 'Draft pull requests are not supported in this repository.');
  const made = state.addPull(repo, login, { ...body, head });
  return ok(shape.pull(pullOf(state, repo, made.number, true), seen(state, repo), at, true), 201);
}

function editPull({ state, repo, params, body, at }) {
  pullOf(state, repo, params.number);
  editIssue({ state, repo, params, body, at });
  return ok(shape.pull(pullOf(state, repo, params.number, true), seen(state, repo), at, true));
}
