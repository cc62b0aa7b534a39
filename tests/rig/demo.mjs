// The demo's world: both stand-ins, two repositories with issues, and a seed file that gives the platform the project for
// the first; the second is for a project that somebody makes by hand. Everything is kept in a folder, so that a second start goes on where the first one was.
//
// node demo.mjs --state FOLDER [--github-port N] [--messages-port N]
// prints one line of JSON when all is ready, then serves until it is told to stop.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startGithub } from './github/server.mjs';
import { startMessages } from './messages/server.mjs';
import { PLAYGROUND, SAMPLE_APP } from './sample-app.mjs';

const OWNER = 'octo';
const TOKEN = 'ghp_demo_0123456789abcdefghijklmnopqrstuv'; // opens nothing but the stand-ins
const KEY = 'sk-ant-demo-0123456789abcdefghijklmnop';

const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const folder = path.resolve(option('--state', 'demo-state'));
mkdirSync(folder, { recursive: true });

process.on('uncaughtException', (problem) => {
  const hint = problem.code === 'EADDRINUSE' ? `port ${problem.port} is taken: does a demo run already? (./dev status --demo, ./dev down --demo)` : problem.stack;
  console.error(`demo: ${hint}`);
  process.exit(1);
});

const github = await startGithub({ port: Number(option('--github-port', 3080)), folder: path.join(folder, 'github') });
const messages = await startMessages({ port: Number(option('--messages-port', 3081)), keys: [KEY], pace: 15, think: 2500 }); // slow enough to watch

const { state } = github;
state.addUser(OWNER, { token: TOKEN });
for (const { name, description, files, issues } of [SAMPLE_APP, PLAYGROUND]) {
  const isNew = !state.repo(OWNER, name);
  const repo = state.addRepo(OWNER, name, { files, description });
  if (isNew) {
    for (const issue of issues) state.addIssue(repo, OWNER, issue);
  }
}

const seed = path.join(folder, 'seed.json');
const project = {
  id: SAMPLE_APP.name, name: 'Sample app', github_owner: OWNER, github_repo: SAMPLE_APP.name, github_token: TOKEN, anthropic_api_key: KEY, poll_interval_seconds: 2,
  start: true,
};
writeFileSync(seed, JSON.stringify({ projects: [project] }, null, 2), { mode: 0o644 });

const ready = {
  github_url: github.url, git_url: github.url, messages_url: messages.url, token: TOKEN, key: KEY, seed,
  project: SAMPLE_APP.name, repository: `${OWNER}/${SAMPLE_APP.name}`, second_repository: `${OWNER}/${PLAYGROUND.name}`,
};
console.log(JSON.stringify(ready));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await Promise.all([github.close(), messages.close()]);
    process.exit(0);
  });
}
