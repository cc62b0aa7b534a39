// The stand-in against a client we did not write (octokit), real git, and GitHub's own description of its API.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Octokit } from 'octokit';
import { fetchOpenapi } from './fetch-openapi.mjs';
import { startGithub } from './server.mjs';

const cache = path.resolve(import.meta.dirname, '../../../.poppo/cache');
let folder, github, octo, stranger;
const here = { owner: 'octo', repo: 'app' };

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'stand-in-'));
  github = await startGithub({ folder, openapi: fetchOpenapi(cache) });
  github.state.addUser('octo', { token: 't-octo' });
  github.state.addUser('stranger', { token: 't-stranger' });
  github.state.addRepo('octo', 'app', { files: { 'README.md': '# app\n' } });
  const client = (auth) => new Octokit({ auth, baseUrl: `${github.url}/api/v3`, throttle: { enabled: false }, retry: { enabled: false } });
  octo = client('t-octo').rest;
  stranger = client('t-stranger').rest;
});
after(async () => {
  await github.close();
  rmSync(folder, { recursive: true });
});

const refused = (promise, status) => assert.rejects(promise, (problem) => problem.status === status);

test('issues, labels, comments and reactions work as on GitHub', async () => {
  const { data: issue } = await octo.issues.create({ ...here, title: 'One', body: 'text' });
  await octo.issues.addLabels({ ...here, issue_number: issue.number, labels: ['poppo'] });
  await refused(octo.issues.createLabel({ ...here, name: 'Poppo', color: 'ffffff' }), 422);
  await refused(octo.issues.removeLabel({ ...here, issue_number: issue.number, name: 'absent' }), 404);
  const { data: listed } = await octo.issues.listForRepo({ ...here, labels: 'poppo', state: 'open' });
  assert.deepEqual(listed.map((i) => i.number), [issue.number]);
  const { data: events } = await octo.issues.listEventsForTimeline({ ...here, issue_number: issue.number });
  assert.equal(events[0].event, 'labeled');
  assert.equal(events[0].actor.login, 'octo');
  const { data: made } = await stranger.issues.createComment({ ...here, issue_number: issue.number, body: 'hi' });
  assert.equal(made.author_association, 'NONE');
  await refused(stranger.issues.createComment({ ...here, issue_number: issue.number, body: 'x'.repeat(65_537) }), 422);
  await refused(stranger.issues.addLabels({ ...here, issue_number: issue.number, labels: ['x'] }), 403);
  await octo.reactions.createForIssue({ ...here, issue_number: issue.number, content: 'eyes' });
});

test('permissions say who may write', async () => {
  const of = async (username) => (await octo.repos.getCollaboratorPermissionLevel({ ...here, username })).data.permission;
  assert.equal(await of('octo'), 'admin');
  assert.equal(await of('stranger'), 'read');
});

test('unknown tokens, unseen repositories and missing users are refused', async () => {
  const unknown = new Octokit({ auth: 'nobody', baseUrl: github.url }).rest;
  await refused(unknown.repos.get(here), 401);
  github.state.addRepo('octo', 'secret', { private: true });
  await refused(stranger.repos.get({ owner: 'octo', repo: 'secret' }), 404);
});

test('an unchanged list answers 304, and another token has another ETag', async () => {
  const { headers } = await octo.issues.listForRepo(here);
  await refused(octo.issues.listForRepo({ ...here, headers: { 'if-none-match': headers.etag } }), 304);
  const other = await stranger.issues.listForRepo(here);
  assert.notEqual(other.headers.etag, headers.etag);
});

test('long lists have pages whose links name the repository by number', async () => {
  for (let i = 0; i < 3; i++) await octo.issues.create({ ...here, title: `Page ${i}` });
  const { headers } = await octo.issues.listForRepo({ ...here, per_page: 2 });
  assert.match(headers.link, /\/repositories\/\d+\/issues\?.*page=2.*rel="next"/);
  const next = /<([^>]+)>; rel="next"/.exec(headers.link)[1];
  const answer = await fetch(next, { headers: { authorization: 'Bearer t-octo', 'user-agent': 'test' } });
  assert.equal(answer.status, 200);
});

test('a branch is pushed over smart HTTP and becomes one pull request', async () => {
  const clone = path.join(folder, 'clone');
  const git = (...args) => promisify(execFile)('git', args, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder, GIT_TERMINAL_PROMPT: '0' } });
  const origin = github.url.replace('http://', 'http://x-access-token:t-octo@');
  await git('clone', '-q', `${origin}/octo/app.git`, clone);
  await git('-C', clone, 'checkout', '-q', '-b', 'poppo/issue-1');
  await refused(octo.pulls.create({ ...here, title: 'Early', head: 'poppo/issue-1', base: 'main' }), 422);
  await git('-C', clone, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'work');
  await assert.rejects(git('-C', clone, 'push', '-q', `${github.url.replace('//', '//x:t-stranger@')}/octo/app.git`, 'HEAD'));
  await git('-C', clone, 'push', '-q', 'origin', 'HEAD');
  const { data: pull } = await octo.pulls.create({ ...here, title: 'Work', head: 'poppo/issue-1', base: 'main', draft: true, body: 'b' });
  assert.equal(pull.draft, true);
  await refused(octo.pulls.create({ ...here, title: 'Again', head: 'poppo/issue-1', base: 'main' }), 422);
  const { data: found } = await octo.pulls.list({ ...here, head: 'octo:poppo/issue-1', state: 'all' });
  assert.deepEqual(found.map((p) => p.number), [pull.number]);
  await octo.pulls.update({ ...here, pull_number: pull.number, body: 'c' });
  const { data: issues } = await octo.issues.listForRepo({ ...here, state: 'all' });
  assert.ok(issues.find((i) => i.number === pull.number).pull_request, 'issue lists hold pull requests too');
});

test('pages show Markdown as people see it on GitHub', async () => {
  const repo = github.state.repo('octo', 'app');
  const issue = github.state.addIssue(repo, 'octo', { title: 'A <b>', body: '**bold** <script>x</script> #1', labels: ['poppo'] });
  const comment = github.state.addComment(repo, issue.number, 'octo', '<!-- poppo:x -->\n<sub>small</sub>\n\n> quoted');
  const page = await (await fetch(`${github.url}/octo/app/issues/${issue.number}`)).text();
  assert.ok(page.includes('<p><strong>bold</strong> &lt;script&gt;x&lt;/script&gt; <a href="/octo/app/issues/1">#1</a></p>'), page);
  assert.ok(page.includes(`id="issuecomment-${comment.id}"`) && page.includes('<sub>small</sub>') && page.includes('<blockquote>'));
  assert.ok(!page.includes('poppo:x') && !page.includes('<script'));
});

test('trouble comes on order and ends', async () => {
  github.faults.add({ match: 'GET /api/v3/user', kind: 'secondary', seconds: 2 });
  await assert.rejects(octo.users.getAuthenticated(), (p) => p.status === 403 && p.response.headers['retry-after'] === '2');
  assert.equal((await octo.users.getAuthenticated()).data.login, 'octo');
});

test('nothing said or answered in these tests breaks the description of the API', () => {
  assert.deepEqual(github.violations, { request: [], response: [] });
});
