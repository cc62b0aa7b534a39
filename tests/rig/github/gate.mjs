// Judges one HTTP exchange by GitHub's own OpenAPI description. Violations of a request are the platform's faults,
// violations of a response are the stand-in's.
import { existsSync, readFileSync } from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const KEEP_AS_IS = new Set(['enum', 'default', 'required']);
const UNDOCUMENTED_OK = new Set([301, 304, 307, 401, 403, 404, 429, 500, 502, 503]); // answers any operation may give

// OpenAPI 3.0 → JSON Schema: `nullable` becomes a type, examples and x- words go.
function toJsonSchema(node) {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (!node || typeof node !== 'object') return node;
  const made = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === 'example' || key === 'examples' || key === 'nullable' || key.startsWith('x-')) continue;
    made[key] = KEEP_AS_IS.has(key) ? value : toJsonSchema(value);
  }
  if (node.nullable !== true) return made;
  if (typeof made.type === 'string' && !made.enum) return { ...made, type: [made.type, 'null'] };
  return { anyOf: [made, { type: 'null' }] };
}

export function openGate(file) {
  if (!file || !existsSync(file)) return null;
  const spec = JSON.parse(readFileSync(file, 'utf8'));
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
  addFormats(ajv);
  ajv.addFormat('repo.nwo', true);
  ajv.addFormat('timestamp', true);
  ajv.addSchema({ $id: 'oas', components: { schemas: toJsonSchema(spec.components.schemas) } });
  const follow = (node) => (node?.$ref ? node.$ref.slice(2).split('/').reduce((a, key) => a[key], spec) : node);
  const routes = routesOf(spec, follow);
  const compiled = new Map();
  const validator = (key, schema) => {
    if (!compiled.has(key)) compiled.set(key, ajv.compile(JSON.parse(JSON.stringify(toJsonSchema(schema)).replaceAll('"#/components/', '"oas#/components/'))));
    return compiled.get(key);
  };
  const complain = (key, schema, value, where) => {
    const validate = validator(key, schema);
    if (validate(value)) return [];
    return validate.errors.filter((e) => !['oneOf', 'anyOf', 'if'].includes(e.keyword)).map((e) => `${where}${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  };
  return { check: (exchange) => check(exchange, { routes, follow, complain }) };
}

function routesOf(spec, follow) {
  const routes = [];
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of METHODS.filter((m) => item[m])) {
      const names = [];
      const pattern = path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{([^}]+)\}/g, (_, name) => {
        names.push(name);
        return /^(ref|path|basehead)$/.test(name) ? '(.+?)' : '([^/]+)';
      });
      const parameters = [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(follow);
      routes.push({ method, names, pattern: new RegExp(`^${pattern}$`), operation: item[method], parameters });
    }
  }
  return routes.sort((a, b) => a.names.length - b.names.length);
}

function coerce(schema, text) {
  if (schema?.type === 'integer' || schema?.type === 'number') return text.trim() !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
  if (schema?.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return schema?.type === 'array' ? text.split(',') : text;
}

function check({ method, path, headers, body, status, answer }, tools) {
  const url = new URL(path, 'http://stand-in');
  const route = tools.routes.find((r) => r.method === method.toLowerCase() && r.pattern.test(url.pathname));
  if (!route) return { request: [`no operation ${method} ${url.pathname} in GitHub's description`], response: [] };
  return { request: checkRequest(route, url, headers, body, tools), response: checkResponse(route, status, answer, tools) };
}

function checkRequest(route, url, headers, body, { follow, complain }) {
  const id = route.operation.operationId;
  const found = [];
  const match = route.pattern.exec(url.pathname);
  for (const parameter of route.parameters.filter((p) => p.in !== 'header')) {
    const raw = parameter.in === 'query' ? url.searchParams.get(parameter.name) : decodeURIComponent(match[1 + route.names.indexOf(parameter.name)] ?? '');
    if (raw === null) {
      if (parameter.required) found.push(`query lacks ${parameter.name}`);
      continue;
    }
    found.push(...complain(`${id}|${parameter.in}|${parameter.name}`, parameter.schema, coerce(follow(parameter.schema), raw), parameter.name));
  }
  for (const name of url.searchParams.keys()) {
    if (!route.parameters.some((p) => p.in === 'query' && p.name === name)) found.push(`unknown query parameter ${name}`);
  }
  const content = follow(route.operation.requestBody);
  const schema = content?.content?.['application/json']?.schema;
  if (schema && body === undefined && content.required) found.push('body missing');
  if (schema && body !== undefined) {
    found.push(...complain(`${id}|body`, schema, body, 'body'));
    const known = follow(schema).properties;
    for (const name of Object.keys(body ?? {})) if (known && !known[name]) found.push(`unknown body member ${name}`);
  }
  if (!schema && body !== undefined) found.push('body not expected');
  if (!headers['user-agent']) found.push('User-Agent missing');
  if (!/application\/vnd\.github|application\/json|\*\/\*/.test(headers.accept ?? '')) found.push(`Accept is ${headers.accept}`);
  return found.map((text) => `${id}: ${text}`);
}

function checkResponse(route, status, answer, { follow, complain }) {
  const id = route.operation.operationId;
  const described = follow(route.operation.responses[String(status)]);
  if (!described) return UNDOCUMENTED_OK.has(status) ? [] : [`${id}: status ${status} is not documented`];
  const schema = described.content?.['application/json']?.schema;
  if (!schema || answer === undefined || status === 304) return [];
  return complain(`${id}|${status}`, schema, answer, `answer ${status} `).map((text) => `${id}: ${text}`);
}
