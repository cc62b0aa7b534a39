import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderMarkdown } from './markdown.mjs';

const address = (number, login) => (number === '7' ? '/o/r/issues/7' : login === 'octo' ? '/octo' : null);
const shown = (text) => renderMarkdown(text, address).trim();

test('what our comments use looks as it does on GitHub', () => {
  assert.equal(shown('<!-- poppo:x -->\n**Done** · [log](http://x/y)\n\n<sub>Execution `a`</sub>'),
    '<p><strong>Done</strong> · <a href="http://x/y">log</a></p>\n<p><sub>Execution <code>a</code></sub></p>');
  assert.equal(shown('<details>\n<summary>Earlier</summary>\n\n- a\n\n</details>'), '<details>\n<summary>Earlier</summary>\n<ul>\n<li>a</li>\n</ul>\n</details>');
  assert.match(shown('> a\n> b'), /<blockquote>\n<p>a<br>\nb<\/p>/);
  assert.equal(shown('### Done'), '<h3>Done</h3>');
  assert.match(shown('- [ ] a\n- [x] b'), /<li>☐ a<\/li>\n<li>☑ b<\/li>/);
});

test('numbers and names are links where there is such an issue or person', () => {
  assert.equal(shown('see #7, #8 and @octo, @nobody'), '<p>see <a href="/o/r/issues/7">#7</a>, #8 and <a href="/octo">@octo</a>, @nobody</p>');
  assert.equal(shown('`#7` [#7](http://x) a#7 @\u200bocto #\u200b7'), '<p><code>#7</code> <a href="http://x">#7</a> a#7 @\u200bocto #\u200b7</p>');
});

test('nothing runs and nothing hides', () => {
  for (const text of ['<script>x</script>', '<img src=x onerror=y>', '<a href="javascript:x">y</a>', '<details open onclick="x">', '<iframe>', '<style>x']) {
    assert.doesNotMatch(shown(text), /<(?!\/?(p|br)\b)/);
  }
  assert.doesNotMatch(shown('[x](javascript:alert(1))'), /href/);
  assert.equal(shown('a <!-- hidden'), '<p>a &lt;!-- hidden</p>');
});
