// What the stand-in remembers: users, tokens, repositories with issues, labels, comments, pull requests. Kept in
// memory and, when given a folder, in one JSON file written atomically, with the bare repositories beside it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const RANK = { none: 0, read: 1, triage: 2, write: 3, maintain: 4, admin: 5 };

export class State {
  constructor(folder) {
    this.folder = folder;
    this.file = path.join(folder, 'github.json');
    mkdirSync(path.join(folder, 'git'), { recursive: true });
    this.data = existsSync(this.file)
      ? JSON.parse(readFileSync(this.file, 'utf8'))
      : { nextId: 1000, users: {}, tokens: {}, repos: {}, moved: {} };
  }

  save() {
    writeFileSync(`${this.file}.new`, JSON.stringify(this.data));
    renameSync(`${this.file}.new`, this.file);
  }

  id() {
    this.data.nextId += 1;
    return this.data.nextId;
  }

  now() {
    return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  }

  addUser(login, { token, scopes = ['repo'], type = 'User' } = {}) {
    this.data.users[login] ??= { login, id: this.id(), type, created_at: this.now() };
    if (token) this.data.tokens[token] = { login, scopes };
    this.save();
    return this.data.users[login];
  }

  // Makes the bare repository; `files` become the first commit (none: an empty repository).
  addRepo(owner, name, { private: isPrivate = false, default_branch = 'main', files = {}, description, has_issues = true } = {}) {
    const key = `${owner}/${name}`.toLowerCase();
    const at = this.now();
    this.data.repos[key] ??= {
      id: this.id(), owner, name, private: isPrivate, default_branch, description, has_issues, created_at: at, updated_at: at, pushed_at: at,
      collaborators: { [owner]: 'admin' }, labels: [], issues: {}, comments: [], events: [], pulls: {}, nextNumber: 1,
    };
    if (!existsSync(this.gitDir(owner, name))) this.initGit(owner, name, default_branch, files);
    this.save();
    return this.data.repos[key];
  }

  gitDir(owner, name) {
    return path.join(this.folder, 'git', owner, `${name}.git`);
  }

  moveGit(repo, owner, name) {
    mkdirSync(path.dirname(this.gitDir(owner, name)), { recursive: true });
    renameSync(this.gitDir(repo.owner, repo.name), this.gitDir(owner, name));
  }

  git(repo, ...args) {
    return execFileSync('git', ['-c', 'safe.directory=*', ...args], {
      cwd: this.gitDir(repo.owner, repo.name), encoding: 'utf8', maxBuffer: 64 << 20,
      env: { PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
      stdio: ['pipe', 'pipe', 'pipe'],
    }).trim();
  }

  initGit(owner, name, branch, files) {
    const dir = this.gitDir(owner, name);
    mkdirSync(dir, { recursive: true });
    const repo = { owner, name };
    this.git(repo, 'init', '-q', '--bare', '-b', branch, '.');
    this.git(repo, 'config', 'http.receivepack', 'true');
    if (Object.keys(files).length) this.commit(repo, branch, files, 'First commit');
  }

  // One commit on a branch, made without a work tree.
  commit(repo, branch, files, message) {
    const dir = this.gitDir(repo.owner, repo.name);
    const marks = Object.entries(files).map(([file, text]) => `M 100644 inline ${file}\ndata ${Buffer.byteLength(text)}\n${text}\n`).join('');
    const parent = this.tip(repo, branch);
    const stamp = `Octo Cat <octo@example.com> ${Math.floor(Date.now() / 1000)} +0000`;
    const input = `commit refs/heads/${branch}\ncommitter ${stamp}\ndata ${Buffer.byteLength(message)}\n${message}\n${parent ? `from ${parent}\n` : ''}${marks}\n`;
    execFileSync('git', ['-c', 'safe.directory=*', 'fast-import', '--quiet', '--force'], { cwd: dir, input, env: { PATH: process.env.PATH, HOME: '/nonexistent' } });
    return this.tip(repo, branch);
  }

  tip(repo, branch) {
    try {
      return this.git(repo, 'rev-parse', '--verify', '-q', `refs/heads/${branch}^{commit}`);
    } catch {
      return null;
    }
  }

  repo(owner, name) {
    return this.data.repos[`${owner}/${name}`.toLowerCase()];
  }

  repoById(id) {
    return Object.values(this.data.repos).find((r) => r.id === Number(id));
  }

  permission(repo, login) {
    return repo.collaborators[login] ?? (repo.private ? 'none' : 'read');
  }

  may(repo, login, least) {
    return RANK[this.permission(repo, login)] >= RANK[least];
  }

  association(repo, login) {
    if (login === repo.owner) return 'OWNER';
    return repo.collaborators[login] ? 'COLLABORATOR' : 'NONE';
  }

  addIssue(repo, login, { title, body = null, labels = [] }) {
    const at = this.now();
    const number = repo.nextNumber++;
    const issue = {
      id: this.id(), number, title, body, login, labels: [], state: 'open', created_at: at, updated_at: at, reactions: [],
      author_association: this.association(repo, login),
    };
    repo.issues[number] = issue;
    for (const name of labels) this.label(repo, number, name, login);
    this.save();
    return issue;
  }

  ensureLabel(repo, name, { color = 'ededed', description = null } = {}) {
    const found = repo.labels.find((l) => l.name.toLowerCase() === name.toLowerCase());
    if (found) return found;
    const made = { id: this.id(), name, color, description };
    repo.labels.push(made);
    return made;
  }

  label(repo, number, name, login) {
    const issue = repo.issues[number];
    const made = this.ensureLabel(repo, name);
    if (issue.labels.includes(made.name)) return;
    issue.labels.push(made.name);
    this.event(repo, issue, 'labeled', made, login);
  }

  unlabel(repo, number, name, login) {
    const issue = repo.issues[number];
    const at = issue.labels.findIndex((l) => l.toLowerCase() === name.toLowerCase());
    if (at < 0) return false;
    const [gone] = issue.labels.splice(at, 1);
    this.event(repo, issue, 'unlabeled', this.ensureLabel(repo, gone), login);
    return true;
  }

  event(repo, issue, event, label, login) {
    issue.updated_at = this.now();
    repo.events.push({ id: this.id(), number: issue.number, event, label: label.name, color: label.color, login, created_at: issue.updated_at });
    this.save();
  }

  addComment(repo, number, login, body) {
    const at = this.now();
    const made = { id: this.id(), number: Number(number), login, body, created_at: at, updated_at: at, author_association: this.association(repo, login) };
    repo.comments.push(made);
    repo.issues[number].updated_at = at;
    this.save();
    return made;
  }

  addPull(repo, login, { title, body = null, head, base, draft = false }) {
    const issue = this.addIssue(repo, login, { title, body });
    issue.isPull = true;
    repo.pulls[issue.number] = { number: issue.number, id: this.id(), head, base, draft };
    this.save();
    return issue;
  }
}
