// Fastify 5 + better-sqlite3 + ws, with response schemas, which is how Fastify is fast.
import Fastify from 'fastify';
import { HEADERS, HEALTH, page, principal, rename, token } from './data.mjs';
import { live } from './live.mjs';

const object = (properties) => ({ type: 'object', properties });
const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const integer = { type: 'integer' };
const integerOrNull = { type: ['integer', 'null'] };
const numberOrNull = { type: ['number', 'null'] };
const boolean = { type: 'boolean' };
const sentence = { ...object({ en: text, ja: text }), nullable: true };

const execution = object({
  id: text,
  number: integer,
  project: object({ id: text, name: text, github_owner: text, github_repo: text }),
  issue_number: integerOrNull,
  issue_url: textOrNull,
  title: text,
  status: text,
  trigger: text,
  requested_by: textOrNull,
  driver: text,
  priority: text,
  deadline_at: textOrNull,
  labels: { type: 'array', items: text },
  queued_reason: { type: 'null' },
  reason: { ...object({ kind: text, en: text, ja: text, next: sentence, detail: textOrNull }), nullable: true },
  summary: textOrNull,
  question: textOrNull,
  no_changes: boolean,
  branch: textOrNull,
  head_sha: textOrNull,
  pull_request: { ...object({ number: integer, url: text }), nullable: true },
  changes: object({ files: integer, insertions: integer, deletions: integer }),
  session_id: textOrNull,
  model: textOrNull,
  attempt_count: integer,
  usage: object({
    calls: integer, input_tokens: integer, output_tokens: integer, cache_read_tokens: integer, cache_write_tokens: integer, num_turns: integer,
  }),
  cost_usd: numberOrNull,
  log: object({ lines: integer, bytes: integer, complete: boolean }),
  node_id: textOrNull,
  created_at: text,
  started_at: textOrNull,
  completed_at: textOrNull,
  active_ms: integer,
  active_since: textOrNull,
  updated_at: text,
});
const pageSchema = { response: { 200: object({ items: { type: 'array', items: execution }, next_cursor: textOrNull }) } };
const healthSchema = { response: { 200: object({ status: text, version: text }) } };

const app = Fastify({ logger: false });
app.addHook('onRequest', async (request, reply) => {
  reply.headers(HEADERS);
});
app.get('/healthz', { schema: healthSchema }, async () => HEALTH);
app.register(async (api) => {
  api.addHook('preHandler', async (request, reply) => {
    request.principal = principal(request.headers.authorization);
    if (!request.principal) return reply.code(401).send({ title: 'Unauthorized', status: 401 });
  });
  api.get('/executions', { schema: pageSchema }, async (request) => page(request.query));
  api.put('/projects/:id', async (request, reply) => {
    const project = rename(request.params.id, request.body.name);
    if (!project) return reply.code(404).send({ title: 'Not found', status: 404 });
    publish('projects', 'project', project);
    return project;
  });
}, { prefix: '/api' });

const publish = live(app.server);
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
console.log(`token=${token()} listening`);
process.on('SIGTERM', () => process.exit(0));
