// What the stand-in "model" does next, from the conversation alone: it keeps no state, as the real API keeps none.
//
// A prompt may carry orders in a marker, `[[poppo-rig: word word=value …]]`, so that a test drives it through an
// issue's text. Without a marker it does a small believable job: looks around, writes a file, checks, sums up.
import { DEMO_JOBS } from './demo-jobs.mjs';

const MARKER = /\[\[poppo-rig:([^\]]*)\]\]/g;
const REFERENCE = /\n(?:For reference, issue|参考: Issue) #/; // the platform repeats an issue behind a comment

// { error: '529', times: '2', write: 'a.txt', … }; values may be "quoted".
export function orders(text) {
  const found = [...text.split(REFERENCE)[0].matchAll(MARKER)].at(-1);
  if (!found) return {};
  const pairs = [...found[1].matchAll(/([\w-]+)(?:=(?:"([^"]*)"|(\S+)))?/g)];
  return Object.fromEntries(pairs.map(([, key, quoted, bare]) => [key, quoted ?? bare ?? 'yes']));
}

const blocks = (message) =>
  typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : (message.content ?? []);
const isPrompt = (message) => message.role === 'user' && !blocks(message).some((b) => b.type === 'tool_result');
const textOf = (message) =>
  blocks(message)
    .filter((b) => b.type === 'text' && !b.text.startsWith('<system-reminder>'))
    .map((b) => b.text)
    .join('\n');
const resultText = (block) =>
  typeof block.content === 'string' ? block.content : (block.content ?? []).map((b) => b.text ?? '').join('\n');

// Where the conversation stands: the newest prompt, how many answers it has had, and the tools' results since.
export function situation(body) {
  const messages = (body.messages ?? []).filter((m) => m.role !== 'system');
  let at = messages.length - 1;
  while (at > 0 && !isPrompt(messages[at])) at -= 1;
  const since = messages.slice(at + 1);
  const results = since.flatMap(blocks).filter((b) => b.type === 'tool_result').map(resultText);
  const prompt = messages[at] ? textOf(messages[at]) : '';
  return {
    prompt,
    step: since.filter((m) => m.role === 'assistant').length,
    round: messages.slice(0, at + 1).filter(isPrompt).length,
    results,
    japanese: /[\u3040-\u30ff]/.test(prompt.replace(MARKER, '')),
    issue: /#(\d+)/.exec(prompt)?.[1] ?? '0',
    tools: (body.tools ?? []).map((t) => t.name),
  };
}

const bash = (command, text, extra = {}) => ({ text, tool: { name: 'Bash', input: { command, description: 'run', ...extra } } });
const say = (text) => ({ text });
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

// The answer for this step: { text?, tool?, stop? }.
export function nextStep(now) {
  if (!now.tools.length) return say('ok');
  const order = orders(now.prompt);
  const steps = stepsFor(now, order);
  return steps[Math.min(now.step, steps.length - 1)];
}

const BY_ORDER = {
  ask: (now) => [say(question(now))],
  nochange: (now) => [
    say(now.japanese
      ? 'すでにご依頼のとおりになっているため、変更はありません。\n\n確認: 該当するファイルを読みました。'
      : 'It is as the issue asks already, so nothing was changed.\n\nChecked: read the files in question.'),
  ],
  say: (now, order) => [
    bash(`mkdir -p notes && echo said >> notes/issue-${now.issue}.md`, 'Writing it down.'),
    say(order.say.replaceAll('\\n', '\n')),
  ],
  refuse: () => [{ text: '', stop: 'refusal' }],
  env: () => [
    bash('env; echo ---; cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n"; echo ---; cat .git/config; ps axeww 2>/dev/null', 'Looking at the environment.'),
    say('done'),
  ],
  lines: (now, order) => [bash(`seq 1 ${Number(order.lines)}`, 'Printing lines.'), say('printed')],
  sleep: (now, order) => [ // not `sleep`: the CLI refuses a long one
    bash(`timeout ${Number(order.sleep)} tail -f /dev/null; true`, 'Taking a while.', { timeout: 600000 }),
    bash(`mkdir -p notes && echo slept >> notes/issue-${now.issue}.md`, 'Writing it down.'),
    say('slept'),
  ],
  write: (now, order) => [
    bash(`mkdir -p "$(dirname ${quote(order.write)})" && printf '%s\\n' ${quote(order.text ?? 'hello')} >> ${quote(order.write)}`, 'Writing.'),
    say(`wrote ${order.write}`),
  ],
  run: (now, order) => [bash(order.run, 'Running.'), say('ran')],
  leave: () => [bash('(setsid nohup tail -f /dev/null >/dev/null 2>&1 &) ; echo left', 'Leaving something behind.'), say('left')],
  loop: () => [bash('true', 'Again.')],
};

function stepsFor(now, order) {
  const name = Object.keys(BY_ORDER).find((key) => key in order);
  if (name) return BY_ORDER[name](now, order);
  const job = DEMO_JOBS.find((j) => j.match.test(now.prompt));
  return (job && job.steps(now, { bash, say })) || ordinaryJob(now);
}

function question(now) {
  return now.japanese
    ? '方針を決めるために確認させてください。\n\n```poppo-question\n既定の言語は日本語と英語のどちらにしますか？\n```\n'
    : 'I need a decision before I go on.\n\n```poppo-question\nWhich language should be the default, Japanese or English?\n```\n';
}

function ordinaryJob(now) {
  const file = `notes/issue-${now.issue}.md`;
  const line = now.japanese ? `対応メモ ${now.round} 回目` : `Note of round ${now.round}`;
  return [
    bash('pwd && ls -la && git log --oneline -5', now.japanese ? 'まずリポジトリを確認します。' : 'I will look at the repository first.'),
    bash(`mkdir -p notes && printf '%s\\n' ${quote(line)} >> ${file}`, now.japanese ? `${file} に書き込みます。` : `Writing ${file}.`),
    bash('git status --short && git diff --stat', now.japanese ? '変更を確認します。' : 'Checking the change.'),
    say(now.japanese
      ? `ご依頼に対応しました（${now.round} 回目）。\`${file}\` に 1 行を書き加えています。\n\n確認: \`git diff --stat\` で、ほかのファイルが変わっていないことを確かめました。`
      : `Wrote the note that was asked for (round ${now.round}): one line in \`${file}\`.\n\nChecked: \`git diff --stat\` shows that no other file changed.`),
  ];
}
