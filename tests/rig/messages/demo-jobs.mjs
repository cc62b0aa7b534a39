// What the demo's model does on the sample repository's issues: real edits with real tests.
const heredoc = (path, text) => `cat > ${path} <<'END'\n${text}END`;

const GREET_JA = `GREETINGS = {"en": "Hello", "ja": "こんにちは"}


def greet(name, language="en"):
    """A greeting for name in one of the languages of GREETINGS."""
    return f"{GREETINGS[language]}, {name}!"


if __name__ == "__main__":
    import sys

    print(greet(*sys.argv[1:3]))
`;
const TEST_JA = `import unittest

from greet import greet


class Greet(unittest.TestCase):
    def test_english_is_the_default(self):
        self.assertEqual(greet("Poppo"), "Hello, Poppo!")

    def test_japanese(self):
        self.assertEqual(greet("ポッポ", "ja"), "こんにちは, ポッポ!")


if __name__ == "__main__":
    unittest.main()
`;

export const DEMO_JOBS = [
  {
    match: /Greet people in Japanese too/,
    steps: (now, { bash, say }) =>
      now.round > 1
        ? [
            bash("printf '\\nLanguages: en, ja.\\n' >> README.md && git diff --stat", 'Following up on your comment: naming the languages in the README.'),
            say('Added the list of languages to `README.md`, as you asked.'),
          ]
        : [
            bash('pwd && ls -la && cat greet.py test_greet.py', 'I will read the code and its test first.'),
            bash(heredoc('greet.py', GREET_JA), 'The greeting becomes a table, so a language is one row.'),
            bash(heredoc('test_greet.py', TEST_JA), 'A test for the new language.'),
            bash('python3 -m unittest -v', 'Running the tests.'),
            bash('git diff --stat', 'Checking what changed.'),
            say('`greet()` takes a language now; Japanese is the first new one.\n\n- `greet.py`: greetings are a table, `greet(name, "ja")` gives こんにちは.\n- `test_greet.py`: a test for each language; both pass.\n\nReply here if you want the languages listed in the README too.'),
          ],
  },
  {
    match: /README に使い方の例/,
    steps: (now, { bash, say }) => [
      bash('cat README.md && ls', 'README と構成を確認します。'),
      bash("printf '\\n## 使い方\\n\\n```sh\\npython3 greet.py ポッポ\\n```\\n' >> README.md", 'README に使い方の節を追加します。'),
      bash('git diff', '変更内容を確認します。'),
      say('README.md に「使い方」の節を追加しました。\n\n- コマンドの実行例を 1 つ載せました。\n- 既存の説明は変えていません。'),
    ],
  },
  {
    match: /言語を環境変数で選べる/,
    steps: (now, { bash, say }) =>
      now.round > 1
        ? [
            bash("sed -i 's/^import unittest$/import unittest/' test_greet.py; printf '\\n環境変数 GREET_LANG で言語を選べます（既定: ja）。\\n' >> README.md; git diff --stat", 'ご回答のとおり進めます。'),
            say('ご回答をもとに、既定の言語の説明を README に追加しました。'),
          ]
        : [
            bash('cat greet.py', 'まず現在の実装を確認します。'),
            say('進め方を決めるため、1 点確認させてください。\n\n```poppo-question\n環境変数が未設定のときの既定の言語は、日本語と英語のどちらにしますか？\n```\n'),
          ],
  },
  {
    match: /Crash when the name is empty/,
    steps: (now, { bash, say }) => [
      bash('cat greet.py', 'Reading the code.'),
      bash("python3 - <<'END'\nimport re\ntext = open('greet.py').read()\ntext = re.sub(r'(def greet\\(.*\\):\\n)', r'\\1    if not name:\\n        raise ValueError(\"a name is needed\")\\n', text, count=1)\nopen('greet.py', 'w').write(text)\nEND\ngit diff", 'An empty name gets a clear error.'),
      say('An empty name is refused with a clear `ValueError` now.'),
    ],
  },
];
