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

const GREET_STRICT = `def greet(name):
    if not name:
        raise ValueError("a name is needed")
    return f"Hello, {name}!"


if __name__ == "__main__":
    import sys

    print(greet(sys.argv[1]))
`;
const TEST_STRICT = `import unittest

from greet import greet


class Greet(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(greet("Poppo"), "Hello, Poppo!")

    def test_an_empty_name_is_refused(self):
        with self.assertRaises(ValueError):
            greet("")


if __name__ == "__main__":
    unittest.main()
`;
const greetByEnvironment = (language) => `import os

GREETINGS = {"en": "Hello", "ja": "こんにちは"}


def greet(name, language=None):
    """A greeting for name; the language comes from GREET_LANG unless it is given."""
    language = language or os.environ.get("GREET_LANG", "${language}")
    return f"{GREETINGS[language]}, {name}!"


if __name__ == "__main__":
    import sys

    print(greet(sys.argv[1]))
`;
const testByEnvironment = (greeting) => `import os
import unittest
from unittest import mock

from greet import greet


class Greet(unittest.TestCase):
    @mock.patch.dict(os.environ, clear=True)
    def test_default(self):
        self.assertEqual(greet("Poppo"), "${greeting}, Poppo!")

    @mock.patch.dict(os.environ, GREET_LANG="en")
    def test_english_by_environment(self):
        self.assertEqual(greet("Poppo"), "Hello, Poppo!")

    @mock.patch.dict(os.environ, GREET_LANG="ja")
    def test_japanese_by_environment(self):
        self.assertEqual(greet("Poppo"), "こんにちは, Poppo!")


if __name__ == "__main__":
    unittest.main()
`;

// What the person answered, out of the platform's prompt.
const answerIn = (prompt) => /（[^）]*UTC）:\n([\s\S]*?)\n\nあなたの質問/.exec(prompt)?.[1] ?? '';

const byEnvironment = ([language, name, greeting], { bash, say }) => [
  bash(heredoc('greet.py', greetByEnvironment(language)), `ご回答のとおり、既定を${name}にして進めます。`),
  bash(heredoc('test_greet.py', testByEnvironment(greeting)), '既定と、環境変数を設定した場合のテストを書きます。'),
  bash("printf '\\n環境変数 `GREET_LANG`（`en`、`ja`）で言語を選べます。既定は `%s` です。\\n' " + language + ' >> README.md', 'README にも書いておきます。'),
  bash('python3 -m unittest -v', 'テストを実行します。'),
  say(`あいさつの言語を環境変数 \`GREET_LANG\` で選べるようにしました。既定は、ご回答のとおり${name}です。\n\n- \`greet.py\`: あいさつを表にまとめ、言語を環境変数から取るようにしました。引数で渡すこともできます。\n- \`test_greet.py\`: 既定、英語、日本語のテストを書きました。\n- \`README.md\`: 使い方を書きました。\n\n確認: \`python3 -m unittest -v\` を実行し、テスト 3 件がすべて成功しました。`),
];

export const DEMO_JOBS = [
  {
    match: /Greet people in Japanese too/,
    steps: (now, { bash, say }) =>
      now.round > 1
        ? [
            bash("printf '\\nLanguages: en, ja.\\n' >> README.md && git diff --stat", 'Following up on your comment: naming the languages in the README.'),
            say('The README names the languages now: en and ja.\n\nChecked: `git diff --stat` shows `README.md` and nothing else.'),
          ]
        : [
            bash('pwd && ls -la && cat greet.py test_greet.py', 'I will read the code and its test first.'),
            bash(heredoc('greet.py', GREET_JA), 'The greeting becomes a table, so a language is one row.'),
            bash(heredoc('test_greet.py', TEST_JA), 'A test for the new language.'),
            bash('python3 -m unittest -v', 'Running the tests.'),
            bash('git diff --stat', 'Checking what changed.'),
            say('`greet()` takes a language now, so that people who read Japanese are greeted in it.\n\n- `greet.py`: the greetings are a table; a new language is one more row. English stays the default.\n- `test_greet.py`: one test for each language.\n\nThe README does not name the languages yet; reply if it should.\n\nChecked: `python3 -m unittest -v`, 2 tests pass.'),
          ],
  },
  {
    match: /README に使い方の例/,
    steps: (now, { bash, say }) => [
      bash('cat README.md && ls', 'README と構成を確認します。'),
      bash("printf '\\n## 使い方\\n\\n```sh\\npython3 greet.py ポッポ\\n```\\n' >> README.md", 'README に使い方の節を追加します。'),
      bash('git diff', '変更内容を確認します。'),
      bash('python3 greet.py ポッポ', '載せた例を実際に実行してみます。'),
      say('初めての人がすぐ試せるように、README に「使い方」の節を追加しました。\n\n- コマンドの実行例を 1 つ載せました。\n- 既存の説明は変えていません。\n\n確認: 載せたコマンドを実行し、`Hello, ポッポ!` と表示されました。変更は `README.md` だけです。'),
    ],
  },
  {
    match: /言語を環境変数で選べる/,
    steps: (now, { bash, say }) =>
      now.round > 1
        ? answerIn(now.prompt) && byEnvironment(/日本語|英語/.exec(answerIn(now.prompt))?.[0] === '英語' ? ['en', '英語', 'Hello'] : ['ja', '日本語', 'こんにちは'], { bash, say })
        : [
            bash('cat greet.py', 'まず現在の実装を確認します。'),
            say('進め方を決めるため、1 点確認させてください。\n\n```poppo-question\n環境変数が未設定のときの既定の言語は、日本語と英語のどちらにしますか？\n```\n'),
          ],
  },
  {
    match: /Crash when the name is empty/,
    steps: (now, { bash, say }) => [
      bash('cat greet.py', 'Reading the code.'),
      bash(heredoc('greet.py', GREET_STRICT), 'An empty name gets a clear error.'),
      bash(heredoc('test_greet.py', TEST_STRICT), 'And a test for it.'),
      bash('python3 -m unittest -v && git diff --stat', 'Running the tests.'),
      say('An empty name is refused now: it gave “Hello, !”.\n\n- `greet.py`: `greet("")` raises `ValueError("a name is needed")`.\n- `test_greet.py`: a test for it.\n\nChecked: `python3 -m unittest -v`, 2 tests pass.'),
    ],
  },
];
