// GitHub's JSON shapes, made from the stand-in's plain records. `at` gives the base URLs (API and pages) as the
// client used them, so links stay on the origin it knows.
const nodeId = (kind, id) => Buffer.from(`0:${kind}${id}`).toString('base64url');
const within = (base, names) => Object.fromEntries(names.map((name) => [`${name}_url`, `${base}/${name}`]));

export function user(u, at) {
  const url = `${at.api}/users/${u.login}`;
  return {
    login: u.login, id: u.id, node_id: nodeId('User', u.id), avatar_url: `${at.html}/avatars/${u.id}`, gravatar_id: '',
    url, html_url: `${at.html}/${u.login}`,
    ...within(url, ['followers', 'following', 'gists', 'starred', 'subscriptions', 'events', 'received_events']),
    organizations_url: `${url}/orgs`, repos_url: `${url}/repos`, type: u.type ?? 'User', site_admin: false,
  };
}

export function privateUser(u, at) {
  return {
    ...user(u, at), name: u.name ?? null, company: null, blog: '', location: null, email: null, hireable: null, bio: null,
    public_repos: 1, public_gists: 0, followers: 0, following: 0, created_at: u.created_at, updated_at: u.created_at,
    private_gists: 0, total_private_repos: 0, owned_private_repos: 0, disk_usage: 0, collaborators: 0, two_factor_authentication: true,
  };
}

const REPO_LINKS = ['assignees', 'blobs', 'branches', 'collaborators', 'comments', 'commits', 'compare', 'contents', 'contributors',
  'deployments', 'downloads', 'events', 'forks', 'hooks', 'issues', 'keys', 'labels', 'languages', 'merges', 'milestones',
  'notifications', 'pulls', 'releases', 'stargazers', 'statuses', 'subscribers', 'subscription', 'tags', 'teams', 'trees'];

export function repository(r, at, permissions) {
  const url = `${at.api}/repos/${r.owner}/${r.name}`;
  const html = `${at.html}/${r.owner}/${r.name}`;
  return {
    id: r.id, node_id: nodeId('Repository', r.id), name: r.name, full_name: `${r.owner}/${r.name}`, private: r.private,
    owner: user(r.ownerUser, at), html_url: html, description: r.description ?? null, fork: false, url,
    ...within(url, REPO_LINKS), archive_url: `${url}/{archive_format}{/ref}`, git_commits_url: `${url}/git/commits{/sha}`,
    git_refs_url: `${url}/git/refs{/sha}`, git_tags_url: `${url}/git/tags{/sha}`, issue_comment_url: `${url}/issues/comments{/number}`,
    issue_events_url: `${url}/issues/events{/number}`,
    clone_url: `${html}.git`, git_url: `${html}.git`, ssh_url: `git@stand-in:${r.owner}/${r.name}.git`, svn_url: html, mirror_url: null,
    default_branch: r.default_branch, homepage: null, language: null, license: null, archived: false, disabled: false,
    has_issues: r.has_issues, has_projects: false, has_wiki: false, has_pages: false, has_discussions: false, has_downloads: false,
    forks: 0, forks_count: 0, stargazers_count: 0, watchers: 0, watchers_count: 0, network_count: 0, subscribers_count: 0,
    open_issues: r.open_issues ?? 0, open_issues_count: r.open_issues ?? 0, size: r.size ?? 1, visibility: r.private ? 'private' : 'public',
    pushed_at: r.pushed_at, created_at: r.created_at, updated_at: r.updated_at, ...(permissions && { permissions }),
  };
}

export function label(l, r, at) {
  return {
    id: l.id, node_id: nodeId('Label', l.id), url: `${at.api}/repos/${r.owner}/${r.name}/labels/${encodeURIComponent(l.name)}`,
    name: l.name, color: l.color, default: false, description: l.description ?? null,
  };
}

export function issue(i, r, at) {
  const url = `${at.api}/repos/${r.owner}/${r.name}/issues/${i.number}`;
  const html = `${at.html}/${r.owner}/${r.name}/${i.pull ? 'pull' : 'issues'}/${i.number}`;
  return {
    url, repository_url: `${at.api}/repos/${r.owner}/${r.name}`, labels_url: `${url}/labels{/name}`, comments_url: `${url}/comments`,
    events_url: `${url}/events`, html_url: html, id: i.id, node_id: nodeId('Issue', i.id), number: i.number, title: i.title, user: user(i.user, at),
    labels: i.labels.map((l) => label(l, r, at)), state: i.state, locked: false, assignee: null, assignees: [], milestone: null,
    comments: i.comments, created_at: i.created_at, updated_at: i.updated_at, closed_at: i.closed_at ?? null, state_reason: i.state_reason ?? null,
    author_association: i.author_association, body: i.body, timeline_url: `${url}/timeline`, performed_via_github_app: null, active_lock_reason: null,
    ...(i.pull && { draft: i.pull.draft, pull_request: { url: url.replace('/issues/', '/pulls/'), html_url: html, diff_url: `${html}.diff`, patch_url: `${html}.patch`, merged_at: null } }),
    reactions: reactions(url, i.reactions ?? []),
  };
}

const KINDS = { '+1': '+1', '-1': '-1', laugh: 'laugh', hooray: 'hooray', confused: 'confused', heart: 'heart', rocket: 'rocket', eyes: 'eyes' };
function reactions(url, list) {
  const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, list.filter((x) => x.content === kind).length]));
  return { url: `${url}/reactions`, total_count: list.length, ...counts };
}

export function reaction(x, at) {
  return { id: x.id, node_id: nodeId('Reaction', x.id), user: user(x.user, at), content: x.content, created_at: x.created_at };
}

export function comment(c, r, at) {
  const url = `${at.api}/repos/${r.owner}/${r.name}/issues`;
  return {
    url: `${url}/comments/${c.id}`, html_url: `${at.html}/${r.owner}/${r.name}/issues/${c.number}#issuecomment-${c.id}`,
    issue_url: `${url}/${c.number}`, id: c.id, node_id: nodeId('IssueComment', c.id), user: user(c.user, at), created_at: c.created_at,
    updated_at: c.updated_at, author_association: c.author_association, body: c.body, performed_via_github_app: null,
    reactions: reactions(`${url}/comments/${c.id}`, []),
  };
}

export function labelEvent(e, r, at) {
  return {
    id: e.id, node_id: nodeId('LabeledEvent', e.id), url: `${at.api}/repos/${r.owner}/${r.name}/issues/events/${e.id}`,
    actor: user(e.actor, at), event: e.event, commit_id: null, commit_url: null, created_at: e.created_at,
    label: { name: e.label, color: e.color }, performed_via_github_app: null,
  };
}

export function commentEvent(c, r, at) {
  return { ...comment(c, r, at), event: 'commented', actor: user(c.user, at) };
}

export function pull(p, r, at, whole) {
  const url = `${at.api}/repos/${r.owner}/${r.name}/pulls/${p.number}`;
  const issueUrl = url.replace('/pulls/', '/issues/');
  const html = `${at.html}/${r.owner}/${r.name}/pull/${p.number}`;
  const side = (ref, sha) => ({ label: `${r.owner}:${ref}`, ref, sha, user: user(r.ownerUser, at), repo: repository(r, at) });
  const link = (href) => ({ href });
  return {
    url, id: p.id, node_id: nodeId('PullRequest', p.id), html_url: html, diff_url: `${html}.diff`, patch_url: `${html}.patch`, issue_url: issueUrl,
    commits_url: `${url}/commits`, review_comments_url: `${url}/comments`, review_comment_url: `${at.api}/repos/${r.owner}/${r.name}/pulls/comments{/number}`,
    comments_url: `${issueUrl}/comments`, statuses_url: `${at.api}/repos/${r.owner}/${r.name}/statuses/${p.head_sha}`, number: p.number, state: p.state,
    locked: false, title: p.title, user: user(p.user, at), body: p.body, labels: p.labels.map((l) => label(l, r, at)), milestone: null,
    created_at: p.created_at, updated_at: p.updated_at, closed_at: p.closed_at ?? null, merged_at: null, merge_commit_sha: null, assignee: null, assignees: [],
    requested_reviewers: [], requested_teams: [], head: side(p.head, p.head_sha), base: side(p.base, p.base_sha), draft: p.draft, auto_merge: null,
    author_association: p.author_association,
    _links: { self: link(url), html: link(html), issue: link(issueUrl), comments: link(`${issueUrl}/comments`), review_comments: link(`${url}/comments`),
      review_comment: link(`${url}/comments{/number}`), commits: link(`${url}/commits`), statuses: link(`${url}/statuses`) },
    ...(whole && { merged: false, mergeable: true, rebaseable: true, mergeable_state: 'clean', merged_by: null, comments: p.comments ?? 0, review_comments: 0,
      maintainer_can_modify: false, commits: p.commits ?? 1, additions: p.additions ?? 0, deletions: p.deletions ?? 0, changed_files: p.changed_files ?? 0 }),
  };
}
