// A stateful stand-in for GitHub: REST (at / and at /api/v3), smart-HTTP git and plain pages on one loopback port.
// It is strict where GitHub is (tokens, scopes, permissions, 404 for what one may not see, ETags that depend on the
// token, limits), and judges every exchange by GitHub's own OpenAPI description when that file is given.
import http from 'node:http';
import { createHash } from 'node:crypto';
import { findRoute, Refusal } from './api.mjs';
import { Faults, strike } from './faults.mjs';
import { openGate } from './gate.mjs';
import { basicToken, GIT_PATH, serveGit } from './git-http.mjs';
import { servePage } from './pages.mjs';
import { State } from './state.mjs';
import { control } from './control.mjs';

const BODY_BYTES_MAX = 2 << 20;

export async function startGithub({ port = 0, folder, openapi = null } = {}) {
  const rig = { state: new State(folder), faults: new Faults(), gate: openGate(openapi), requests: [], violations: { request: [], response: [] }, lacks: [] };
  const server = http.createServer((request, response) => {
    serve(rig, request, response).catch((problem) => {
      console.error(problem);
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: String(problem) }));
    });
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { ...rig, rig, url, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

async function serve(rig, request, response) {
  const url = new URL(request.url, `http://${request.headers.host ?? 'stand-in'}`);
  const git = GIT_PATH.exec(url.pathname);
  if (git) return serveRepository(rig, git, url, request, response);
  const body = await readBody(request);
  if (url.pathname.startsWith('/_rig/')) return control(rig, url, request.method, body, response);
  const isApi = url.pathname.startsWith('/api/v3/') || request.headers.authorization || findRoute(request.method, url.pathname) || url.pathname.startsWith('/repositories/');
  if (!isApi || (request.headers.accept ?? '').includes('text/html')) return servePage(rig, url, request, body, response);
  return serveApi(rig, url, request, body, response);
}

function serveRepository(rig, git, url, request, response) {
  const moved = rig.state.repoById(rig.state.data.moved[`${git[1]}/${git[2]}`.toLowerCase()]);
  if (moved) return void response.writeHead(301, { location: `/${moved.owner}/${moved.name}.git/${git[3]}${url.search}` }).end();
  const repo = rig.state.repo(git[1], git[2]);
  const who = rig.state.data.tokens[basicToken(request)];
  const needs = git[3] === 'git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack' ? 'write' : 'read';
  rig.requests.push({ method: request.method, path: request.url, git: true, login: who?.login ?? null, at: Date.now() });
  const fault = rig.faults.take(request.method, url.pathname);
  if (fault?.kind === 'cut') return void request.socket.destroy();
  if (fault && fault.kind !== 'slow') return void response.writeHead(Number.parseInt(fault.kind, 10) || 500).end('as the test asked\n');
  if (!repo || !rig.state.may(repo, who?.login ?? '', needs) || (needs === 'write' && !who.scopes.includes('repo'))) {
    const status = who ? (repo && needs === 'write' && rig.state.may(repo, who.login, 'read') ? 403 : 404) : 401;
    response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="GitHub"' } : {});
    return void response.end('Repository not found.\n');
  }
  if (needs === 'write') repo.pushed_at = rig.state.now();
  return serveGit(`${rig.state.folder}/git`, [null, repo.owner, repo.name, git[3]], url, request, response, who?.login);
}

async function serveApi(rig, url, request, raw, response) {
  const prefix = url.pathname.startsWith('/api/v3/') ? '/api/v3' : '';
  const path = url.pathname.slice(prefix.length).replace(/^\/repositories\/(\d+)/, (whole, id) => {
    const repo = rig.state.repoById(id);
    return repo ? `/repos/${repo.owner}/${repo.name}` : whole;
  });
  const at = { api: `${url.origin}${prefix}`, html: url.origin };
  const exchange = { method: request.method, path: path + url.search, headers: request.headers, at: Date.now() };
  rig.requests.push(exchange);
  if (rig.requests.length > 20_000) rig.requests.shift();
  const send = (status, body, headers = {}) => sendAnswer(rig, exchange, response, status, body, headers);
  const fault = rig.faults.take(request.method, url.pathname);
  if (fault && (await strike(fault, send, request))) return;
  const elsewhere = movedTo(rig.state, path);
  if (elsewhere) {
    const url_ = `${at.api}${elsewhere}${url.search}`;
    return void send(request.method === 'GET' ? 301 : 307, { message: 'Moved Permanently', url: url_, documentation_url: 'https://docs.github.com/rest' }, { location: url_ });
  }
  try {
    exchange.body = raw ? JSON.parse(raw) : undefined;
    const call = admit(rig, request, path, url, exchange.body, at);
    const answer = call.route.handle(call);
    const { status, body, link } = Array.isArray(answer) ? page(answer, url, call, at) : answer;
    const etag = `W/"${createHash('sha256').update(JSON.stringify(body) + request.headers.authorization).digest('hex')}"`;
    if (request.method === 'GET' && request.headers['if-none-match'] === etag) return send(304, undefined, { etag });
    send(status, body, { ...(request.method === 'GET' && { etag }), ...(link && { link }) });
  } catch (problem) {
    if (problem instanceof SyntaxError) return send(400, { message: 'Problems parsing JSON', documentation_url: 'https://docs.github.com/rest' });
    if (!(problem instanceof Refusal)) throw problem;
    send(problem.status, { message: problem.message, ...(problem.errors && { errors: problem.errors }), documentation_url: 'https://docs.github.com/rest', ...(problem.status !== 422 && { status: String(problem.status) }) });
  }
}

// A renamed or transferred repository answers under its old name by sending there, with its number in the address.
function movedTo(state, path) {
  const [whole, name] = /^\/repos\/([^/]+\/[^/]+)/.exec(path) ?? [];
  const id = whole && state.data.moved[name.toLowerCase()];
  return id ? path.replace(whole, `/repositories/${id}`) : null;
}

// Who calls, what for, and may they: as GitHub answers, 404 for what one may not even see.
function admit(rig, request, path, url, body, at) {
  const { state } = rig;
  const token = (request.headers.authorization ?? '').replace(/^(Bearer|token) /i, '');
  const who = state.data.tokens[token];
  if (!request.headers['user-agent']) throw new Refusal(403, 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.');
  if (token && !who) throw new Refusal(401, 'Bad credentials');
  const route = findRoute(request.method, path);
  if (!route || rig.lacks.some((pattern) => new RegExp(pattern).test(`${request.method} ${path}`))) throw new Refusal(404, 'Not Found');
  if (!who && path === '/user') throw new Refusal(401, 'Requires authentication');
  const { owner, repo: name } = route.params;
  const repo = owner && state.repo(owner, name);
  const login = who?.login ?? '';
  if (owner && (!repo || !state.may(repo, login, 'read'))) throw new Refusal(404, 'Not Found');
  if (repo && !state.may(repo, login, route.least)) throw new Refusal(403, 'Must have push access to repository');
  if (request.method !== 'GET' && !who) throw new Refusal(401, 'Requires authentication');
  if (request.method !== 'GET' && !who.scopes.some((s) => s === 'repo' || (s === 'public_repo' && !repo?.private))) throw new Refusal(403, 'Resource not accessible by personal access token');
  return { state, repo: repo && withOwner(repo, state), login, scopes: who?.scopes ?? [], params: route.params, query: url.searchParams, body, at, route };
}

// Handlers change the record itself; the shapes also want its owner, which is not saved with it.
function withOwner(repo, state) {
  Object.defineProperty(repo, 'ownerUser', { value: state.data.users[repo.owner], enumerable: false, configurable: true });
  return repo;
}

function page(items, url, { repo, query }, at) {
  const per = Math.min(Number(query.get('per_page') ?? 30), 100);
  const number = Number(query.get('page') ?? 1);
  const last = Math.max(1, Math.ceil(items.length / per));
  const path = url.pathname.replace(/^(\/api\/v3)?\/repos\/[^/]+\/[^/]+/, repo ? `/repositories/${repo.id}` : '');
  const address = (n) => {
    const copy = new URLSearchParams(query);
    copy.set('page', n);
    return `<${at.api}${path}?${copy}>`;
  };
  const link = [number > 1 && `${address(number - 1)}; rel="prev"`, number < last && `${address(number + 1)}; rel="next"`, number < last && `${address(last)}; rel="last"`].filter(Boolean).join(', ');
  return { status: 200, body: items.slice((number - 1) * per, number * per), link };
}

function sendAnswer(rig, exchange, response, status, body, headers) {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  Object.assign(exchange, { status, answer: body });
  judge(rig, exchange);
  delete exchange.answer;
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8', 'x-github-media-type': 'github.v3; format=json', 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '4999',
    'x-ratelimit-used': '1', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 3600), 'x-ratelimit-resource': 'core', 'x-oauth-scopes': scopesOf(rig, exchange),
    'x-github-request-id': `${exchange.at.toString(16).toUpperCase()}:1`, ...headers,
  });
  response.end(text);
  return true;
}

function scopesOf(rig, exchange) {
  const token = (exchange.headers.authorization ?? '').replace(/^(Bearer|token) /i, '');
  return (rig.state.data.tokens[token]?.scopes ?? []).join(', ');
}

function judge(rig, exchange) {
  if (!rig.gate) return;
  const found = rig.gate.check(exchange);
  for (const side of ['request', 'response']) {
    for (const text of found[side]) rig.violations[side].push(`${exchange.method} ${exchange.path}: ${text}`);
  }
}

async function readBody(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > BODY_BYTES_MAX) throw new Error('body too large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

// node github/server.mjs --port N --state FOLDER [--openapi FILE]
if (import.meta.filename === process.argv[1]) {
  const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
  const { url, rig } = await startGithub({ port: Number(option('--port', 0)), folder: option('--state', 'github-state'), openapi: option('--openapi', null) });
  if (!rig.gate) console.error('github stand-in: no OpenAPI description given, exchanges are not judged');
  console.log(JSON.stringify({ github_url: url }));
}
