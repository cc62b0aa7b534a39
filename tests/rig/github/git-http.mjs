// Smart HTTP for the stand-in's bare repositories: git http-backend as CGI, Basic authentication like GitHub's
// (any user name, the token as password).
import { spawn } from 'node:child_process';

const ENVIRONMENT = {
  GIT_HTTP_EXPORT_ALL: '1', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_COUNT: '3',
  GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*', GIT_CONFIG_KEY_1: 'uploadpack.allowFilter', GIT_CONFIG_VALUE_1: 'true',
  GIT_CONFIG_KEY_2: 'uploadpack.allowAnySHA1InWant', GIT_CONFIG_VALUE_2: 'true',
};

export const GIT_PATH = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/;

export function basicToken(request) {
  const value = request.headers.authorization ?? '';
  if (!value.startsWith('Basic ')) return null;
  return Buffer.from(value.slice(6), 'base64').toString().split(':').slice(1).join(':');
}

export function serveGit(root, [, owner, name, rest], url, request, response, login) {
  const env = {
    ...ENVIRONMENT, PATH: process.env.PATH, GIT_PROJECT_ROOT: root, PATH_INFO: `/${owner}/${name}.git/${rest}`, QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method, CONTENT_TYPE: request.headers['content-type'] ?? '', REMOTE_USER: login ?? 'anonymous', REMOTE_ADDR: '127.0.0.1',
    GIT_PROTOCOL: request.headers['git-protocol'] ?? '',
  };
  if (request.headers['content-encoding']) env.HTTP_CONTENT_ENCODING = request.headers['content-encoding'];
  if (request.headers['content-length']) env.CONTENT_LENGTH = request.headers['content-length'];
  const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  request.pipe(child.stdin);
  child.stdin.on('error', () => {}); // the backend may stop reading early; its answer says why
  let head = Buffer.alloc(0);
  child.stdout.on('data', (piece) => {
    if (response.headersSent) return void response.write(piece);
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const lines = head.subarray(0, end).toString().split('\r\n').map((line) => line.split(/:\s*/, 2));
    const fields = Object.fromEntries(lines.map(([key, value]) => [key.toLowerCase(), value]));
    response.writeHead(Number.parseInt(fields.status ?? '200', 10), fields);
    response.write(head.subarray(end + 4));
  });
  child.on('close', () => {
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
  response.on('close', () => child.kill());
}
