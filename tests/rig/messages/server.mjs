// A stand-in for the Messages API: streaming and plain replies, tool turns, usage, and every kind of trouble a test
// asks for by a marker (see script.mjs). Binds to loopback only.
import http from 'node:http';
import { createHash, randomUUID } from 'node:crypto';
import { nextStep, orders, situation } from './script.mjs';

const MODELS = ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5'];
const ERRORS = {
  400: 'invalid_request_error', 401: 'authentication_error', 402: 'billing_error', 403: 'permission_error', 404: 'not_found_error',
  413: 'request_too_large', 429: 'rate_limit_error', 500: 'api_error', 502: 'api_error', 503: 'api_error', 504: 'timeout_error', 529: 'overloaded_error',
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const tokens = (text) => Math.ceil(Buffer.byteLength(text) / 4);

// pace: milliseconds between pieces of an answer; think: before each answer.
export async function startMessages({ port = 0, keys = ['sk-ant-demo'], pace = 0, think = 0 } = {}) {
  const seen = []; // every request, newest last, bounded
  const times = new Map(); // marker → how often it has struck
  const server = http.createServer((request, response) => {
    handle(request, response).catch((problem) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(problem?.stack ?? problem));
    });
  });

  async function handle(request, response) {
    const url = new URL(request.url, 'http://stand-in');
    const body = await read(request);
    const key = request.headers['x-api-key'] ?? (request.headers.authorization ?? '').replace(/^Bearer /, '');
    if (url.pathname.startsWith('/_rig/')) return control(url, response);
    seen.push({ method: request.method, path: request.url, key, model: body?.model, stream: body?.stream ?? false, at: Date.now() });
    if (seen.length > 5000) seen.shift();
    response.setHeader('request-id', `req_${randomUUID().replaceAll('-', '')}`);
    if (request.method === 'HEAD' || url.pathname === '/') return void response.writeHead(200).end();
    if (!keys.includes(key)) return fail(response, 401, 'invalid x-api-key');
    if (url.pathname === '/v1/models') {
      const data = MODELS.map((id) => ({ type: 'model', id, display_name: id, created_at: '2026-01-01T00:00:00Z' }));
      return json(response, 200, { data, has_more: false, first_id: MODELS[0], last_id: MODELS.at(-1) });
    }
    if (url.pathname === '/v1/messages/count_tokens') return json(response, 200, { input_tokens: tokens(JSON.stringify(body)) });
    if (url.pathname !== '/v1/messages' || request.method !== 'POST') return fail(response, 404, `no such path ${url.pathname}`);
    if (!body?.model || !Array.isArray(body.messages)) return fail(response, 400, 'model and messages are required');
    return answer(body, request, response);
  }

  async function answer(body, request, response) {
    const now = situation(body);
    const order = now.tools.length ? orders(now.prompt) : {};
    if (order.model404) return fail(response, 404, `model: ${body.model}`);
    if (order.error && strikes(order, body)) return trouble(order, response);
    if (order.silent && strikes(order, body)) {
      if (order.silent === 'start') return; // never a byte
      begin(response);
      event(response, 'message_start', { message: shell(body, usageOf(body)) });
      return; // and then nothing
    }
    const step = nextStep(now);
    await pause(order.slow ? Number(order.slow) * 1000 : think);
    return body.stream ? stream(body, step, order, response) : plain(body, step, response);
  }

  // Has the marker struck less often than `times` says (default: always)?
  function strikes(order, body) {
    if (!order.times) return true;
    const id = createHash('sha256').update(JSON.stringify(order) + situation(body).prompt).digest('hex');
    const count = (times.get(id) ?? 0) + 1;
    times.set(id, count);
    return count <= Number(order.times);
  }

  function trouble(order, response) {
    if (order.error === 'html') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>maintenance</html>');
    if (order.error === 'cut') return void response.socket.destroy();
    if (order['retry-after']) response.setHeader('retry-after', order['retry-after']);
    if (order.spend) {
      return json(response, 429, { type: 'error', error: { type: 'rate_limit_error', message: 'monthly spend limit reached', details: { error_code: 'enforced_spend_limit_reached' } } });
    }
    return fail(response, Number(order.error), order.message ?? 'as the test asked');
  }

  async function stream(body, step, order, response) {
    const { content, stop, usage } = reply(body, step);
    begin(response);
    event(response, 'message_start', { message: shell(body, usageOf(body)) });
    event(response, 'ping', {});
    for (const [index, block] of content.entries()) {
      await streamBlock(response, index, block);
      if (order.cutmid && strikes(order, body)) return void response.socket.destroy();
      if (order.badsse && strikes(order, body)) {
        response.write('event: content_block_delta\ndata: {"type":"content_blo\n\n');
        return void response.end();
      }
    }
    event(response, 'message_delta', { delta: { stop_reason: stop, stop_sequence: null }, usage });
    event(response, 'message_stop', {});
    response.end();
  }

  async function streamBlock(response, index, block) {
    const isTool = block.type === 'tool_use';
    event(response, 'content_block_start', { index, content_block: isTool ? { ...block, input: {} } : { type: 'text', text: '' } });
    const whole = isTool ? JSON.stringify(block.input) : block.text;
    for (let at = 0; at < whole.length; at += 24) {
      const piece = whole.slice(at, at + 24);
      event(response, 'content_block_delta', { index, delta: isTool ? { type: 'input_json_delta', partial_json: piece } : { type: 'text_delta', text: piece } });
      if (pace) await pause(pace);
    }
    event(response, 'content_block_stop', { index });
  }

  function plain(body, step, response) {
    const { content, stop, usage } = reply(body, step);
    json(response, 200, { ...shell(body, usage), content, stop_reason: stop });
  }

  function control(url, response) {
    if (url.pathname === '/_rig/requests') return json(response, 200, seen);
    if (url.pathname === '/_rig/reset') {
      seen.length = 0;
      times.clear();
      return json(response, 200, {});
    }
    return fail(response, 404, 'no such control');
  }

  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  server.keepAliveTimeout = 60_000;
  return { port: server.address().port, url: `http://127.0.0.1:${server.address().port}`, seen, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

function reply(body, step) {
  const content = [];
  if (step.text) content.push({ type: 'text', text: step.text });
  if (step.tool) content.push({ type: 'tool_use', id: `toolu_${randomUUID().replaceAll('-', '').slice(0, 24)}`, name: step.tool.name, input: step.tool.input });
  const usage = { ...usageOf(body), output_tokens: tokens(JSON.stringify(content)) };
  return { content, usage, stop: step.stop ?? (step.tool ? 'tool_use' : 'end_turn') };
}

// The system prompt and tools count as cached from the second turn on, as they are with the real API.
function usageOf(body) {
  const fixed = tokens(JSON.stringify(body.system ?? '') + JSON.stringify(body.tools ?? ''));
  const first = body.messages.length <= 1;
  return {
    input_tokens: tokens(JSON.stringify(body.messages.at(-1) ?? '')),
    cache_creation_input_tokens: first ? fixed : 0,
    cache_read_input_tokens: first ? 0 : fixed,
    cache_creation: { ephemeral_5m_input_tokens: first ? fixed : 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: 1,
    service_tier: 'standard',
  };
}

const shell = (body, usage) => ({
  id: `msg_${randomUUID().replaceAll('-', '').slice(0, 24)}`, type: 'message', role: 'assistant', model: body.model,
  content: [], stop_reason: null, stop_sequence: null, usage,
});
const begin = (response) => response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
const event = (response, type, data) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
const json = (response, status, value) => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
const fail = (response, status, message) =>
  json(response, status, { type: 'error', error: { type: ERRORS[status] ?? 'api_error', message }, request_id: response.getHeader('request-id') });

async function read(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

// node messages/server.mjs --port N --key K [--pace MS]
if (import.meta.filename === process.argv[1]) {
  const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
  const { url } = await startMessages({ port: Number(option('--port', 0)), keys: [option('--key', 'sk-ant-demo')], pace: Number(option('--pace', 0)) });
  console.log(JSON.stringify({ messages_url: url }));
}
