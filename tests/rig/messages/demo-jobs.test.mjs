// The demo's model tells the truth: its commands work on the sample repository, and what it says it checked holds.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SAMPLE_APP } from '../sample-app.mjs';
import { nextStep } from './script.mjs';

const answered = (text) => `octo さんが回答しました。\n\nocto のコメント（2026-11-22 10:00 UTC）:\n${text}\n\nあなたの質問:\n日本語と英語のどちらにしますか？\n`;
const TOOLS = ['Bash'];

// All steps of one round, as a CLI would take them; gives the last answer and what the commands printed.
function play(prompt, round, folder) {
  const env = { PATH: process.env.PATH, HOME: folder, LANG: 'C.UTF-8', GIT_CONFIG_NOSYSTEM: '1' };
  const printed = [];
  for (let step = 0; step < 20; step++) {
    const next = nextStep({ prompt, step, round, tools: TOOLS, issue: '1', japanese: /[\u3040-\u30ff]/.test(prompt) });
    if (!next.tool) return { answer: next.text, printed };
    printed.push(execFileSync('bash', ['-c', `exec 2>&1\n${next.tool.input.command}`], { cwd: folder, env, encoding: 'utf8' }));
  }
  throw new Error('no end');
}

function withSample(use) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'demo-job-'));
  try {
    for (const [name, text] of Object.entries(SAMPLE_APP.files)) writeFileSync(path.join(folder, name), text);
    execFileSync('git', ['init', '-q', '.'], { cwd: folder });
    execFileSync('git', ['add', '.'], { cwd: folder });
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'first'], { cwd: folder });
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const CHECKED = /\n\n(Checked|確認): [^\n]+$/;

for (const issue of SAMPLE_APP.issues) {
  test(`${issue.title}: done, and checked as it says`, () => {
    withSample((folder) => {
      const prompt = `#1\n${issue.title}\n${issue.body}`;
      let { answer, printed } = play(prompt, 1, folder);
      if (answer.includes('```poppo-question')) ({ answer, printed } = play(`${answered('英語でお願いします。')}参考\n${prompt}`, 2, folder));
      assert.match(answer, CHECKED);
      if (answer.includes('unittest')) assert.match(printed.join(''), new RegExp(`Ran ${/(\d+) tests pass|テスト (\d+) 件/.exec(answer).slice(1).find(Boolean)} tests[^]*\nOK`));
    });
  });
}

test('an answer decides', () => {
  for (const [said, greeting] of [['英語でお願いします。', 'Hello, x!'], ['日本語にしてください。英語は環境変数で選びます。', 'こんにちは, x!']]) {
    withSample((folder) => {
      play(`${answered(said)}参考\n${SAMPLE_APP.issues[2].title}`, 2, folder);
      assert.equal(execFileSync('python3', ['greet.py', 'x'], { cwd: folder, env: { PATH: process.env.PATH, LANG: 'C.UTF-8' }, encoding: 'utf8' }), `${greeting}\n`);
    });
  }
});

test('a follow-up and an ordinary job end as the prompt asks, too', () => {
  withSample((folder) => assert.match(play(`once more\n${SAMPLE_APP.issues[0].title}`, 2, folder).answer, CHECKED));
  withSample((folder) => assert.match(play(`コメント\n${SAMPLE_APP.issues[2].title}`, 3, folder).answer, CHECKED));
  withSample((folder) => assert.match(play('#7 Please write a note', 1, folder).answer, CHECKED));
  withSample((folder) => assert.match(play('#7 メモを書いてください', 1, folder).answer, CHECKED));
});
