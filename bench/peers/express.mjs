// Express 4 + better-sqlite3 + ws: the stack of the first plan.
import { createServer } from 'node:http';
import express from 'express';
import { HEADERS, HEALTH, page, principal, rename, token } from './data.mjs';
import { live } from './live.mjs';

const app = express();
app.disable('x-powered-by');
app.set('etag', false); // work that is not needed here; ours gives the lists one
app.use((request, response, next) => {
  response.set(HEADERS);
  next();
});
app.get('/healthz', (request, response) => response.json(HEALTH));

const api = express.Router();
api.use((request, response, next) => {
  request.principal = principal(request.get('Authorization'));
  if (request.principal) next();
  else response.status(401).json({ title: 'Unauthorized', status: 401 });
});
api.get('/executions', (request, response) => response.json(page(request.query)));
api.put('/projects/:id', express.json(), (request, response) => {
  const project = rename(request.params.id, request.body.name);
  if (!project) return response.status(404).json({ title: 'Not found', status: 404 });
  publish('projects', 'project', project);
  return response.json(project);
});
app.use('/api', api);

const server = createServer(app);
const publish = live(server);
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log(`token=${token()} listening`));
process.on('SIGTERM', () => process.exit(0));
