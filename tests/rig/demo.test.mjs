// What the demo says about itself is true.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

test('the repositories it names open with the token, the model with the key, also at a second start', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'demo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (let start = 0; start < 2; start += 1) {
    const demo = spawn(process.execPath, ['demo.mjs', '--state', folder, '--github-port', '0', '--messages-port', '0'], { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = new Promise((done) => demo.on('exit', done));
    try {
      const { value: line } = await createInterface(demo.stdout)[Symbol.asyncIterator]().next();
      const ready = JSON.parse(line);
      for (const [name, count] of [[ready.repository, 4], [ready.second_repository, 2]]) {
        const answer = await fetch(`${ready.github_url}/repos/${name}/issues?state=all`, { headers: { authorization: `Bearer ${ready.token}` } });
        assert.equal((await answer.json()).length, count, name);
      }
      const models = await fetch(`${ready.messages_url}/v1/models`, { headers: { 'x-api-key': ready.key } });
      assert.equal(models.status, 200);
      const [project] = JSON.parse(readFileSync(ready.seed)).projects;
      assert.equal(`${project.github_owner}/${project.github_repo}`, ready.repository);
      assert.equal(project.id, ready.project);
    } finally {
      demo.kill();
      await gone;
    }
  }
});
