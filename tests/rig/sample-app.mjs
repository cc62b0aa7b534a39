// The demo's repositories: a very small program with a test and four issues in two languages, and one to try things in.
const FILES = {
  'README.md': '# sample-app\n\nGreets people. Run it with `python3 greet.py NAME`, test it with `python3 -m unittest`.\n',
  'greet.py': 'def greet(name):\n    return f"Hello, {name}!"\n\n\nif __name__ == "__main__":\n    import sys\n\n    print(greet(sys.argv[1]))\n',
  'test_greet.py':
    'import unittest\n\nfrom greet import greet\n\n\nclass Greet(unittest.TestCase):\n    def test_greets_by_name(self):\n        self.assertEqual(greet("Poppo"), "Hello, Poppo!")\n\n\nif __name__ == "__main__":\n    unittest.main()\n',
  '.gitignore': '__pycache__/\n',
};

const ISSUES = [
  {
    title: 'Greet people in Japanese too',
    body: 'Many of our users read Japanese. `greet("ポッポ", "ja")` should say こんにちは.\n\n- [ ] a second language\n- [ ] a test for it\n',
    labels: ['poppo'],
  },
  { title: 'README に使い方の例を追加してください', body: '初めて使う人のために、コマンドの実行例を README に載せたいです。', labels: ['poppo'] },
  { title: 'あいさつの言語を環境変数で選べるようにする', body: '毎回引数で渡すのは面倒なので、環境変数でも選べるようにしてください。', labels: ['poppo'] },
  { title: 'Crash when the name is empty', body: '`greet("")` gives “Hello, !”. It should refuse an empty name with a clear error.\n\nAdd the label `poppo` to this issue to see a run from the start.', labels: [] },
];

export const SAMPLE_APP = { name: 'sample-app', description: 'A small program for the demo', files: FILES, issues: ISSUES };

export const PLAYGROUND = {
  name: 'playground',
  description: 'For a project that you make yourself',
  files: { 'README.md': '# playground\n\nMake a project for this repository and label its issues.\n' },
  issues: [
    { title: 'Write down what this repository is for', body: 'A short note in a file of its own is enough.', labels: ['poppo'] },
    { title: 'この README を日本語でも読めるようにする', body: 'ラベル `poppo` を付けると始まります。', labels: [] },
  ],
};
