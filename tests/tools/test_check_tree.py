"""tools/check_tree.py against trees that break one rule each: a checker that cannot fail checks nothing."""
import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def check(tmp_path):
    def run(files, rules=None):
        for name, text in files.items():
            path = tmp_path / "platform" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        rules_file = TOOLS / "tree.rules"
        if rules is not None:
            rules_file = tmp_path / "rules"
            rules_file.write_text(rules)
        done = subprocess.run(
            [sys.executable, TOOLS / "check_tree.py", "--root", tmp_path / "platform", "--rules", rules_file],
            capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_clean_tree_is_ok(check):
    files = {
        "base/buf.c": '#include "base/buf.h"\n\n#include <string.h>\n\n#include "base/error.h"\n',
        "base/buf.h": "/* bytes */\n",
        "net/tls.c": '#include <openssl/ssl.h>\n#include "base/buf.h"\n#include "net/tls_private.h"\n',
        "net/tls_private.h": "",
    }
    assert check(files) == (0, "tree: ok\n")


BROKEN = {
    "a layer below includes one above":
        ("model/user.c", '#include "server/store/store.h"\n', "model may not include server/store/store.h"),
    "api goes past the services":
        ("server/api/router.c", '#include "server/store/store.h"\n', "may not include server/store/store.h"),
    "a foreign header outside its door":
        ("net/http.c", "#include <jansson.h>\n", "only base/json.c includes <jansson.h>"),
    "a foreign folder outside its door":
        ("net/http.c", "  #  include <openssl/ssl.h>\n", "includes <openssl/>"),
    "a foreign header in quotes":
        ("net/http.c", '#include "llhttp.h"\n', "only net/http_parser.c includes <llhttp.h>"),
    "a library nobody has a door for":
        ("base/yaml.c", "#include <yaml.h>\n", "only nobody yet includes <yaml.h>"),
    "the model looks at the clock":
        ("model/user.c", "#include <time.h>\n", "model does without <time.h>"),
    "the model opens sockets":
        ("model/user.c", "#include <sys/socket.h>\n", "model does without <sys/socket.h>"),
    "another folder's private header":
        ("net/http.c", '#include "base/buf_private.h"\n', "base/buf_private.h is private to base"),
    "an include that is no full path":
        ("net/http.c", '#include "http.h"\n', 'include "http.h" by its full path'),
    "a call that overflows":
        ("net/http.c", "void f(void)\n{\n    strcpy(a, b);\n}\n", "line 3: use pb_buf instead of strcpy()"),
    "a call that waits for time":
        ("net/http.c", "int x = usleep(1);\n", "use pb_loop_timer_start instead of usleep()"),
    "a shell":
        ("agent/git.c", "int x = system (s);\n", "use pb_process_spawn instead of system()"),
    "a thread of one's own":
        ("net/http.c", "int x = pthread_create(&t, 0, f, 0);\n", "only base/pool.c calls pthread_create()"),
    "a descriptor that leaks into children":
        ("net/http.c", "int x = open(f(a, (b)),\n  O_RDONLY);\n", "open() without CLOEXEC"),
    "a socket that leaks into children":
        ("net/http.c", "int x = socket(AF_INET, SOCK_STREAM, 0);\n", "socket() without CLOEXEC"),
    "a comment that was not meant to stay":
        ("net/http.c", "\nint x; // try\n", "line 2: // is for what is not committed"),
    "a file past the eye":
        ("net/http.c", "int x;\n" * 701, "701 lines, longer than 700"),
    "a function past the eye":
        ("net/http.c", "\nint f(void)\n{\n" + "    g();\n" * 100 + "}\n", "line 3: a function of 102 lines"),
    "a folder nobody planned":
        ("utils/misc.c", "", "tree.rules has no layer utils"),
    "a file beside the folders":
        ("main.c", "", "tree.rules has no layer (root)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_finds(check, name):
    path, text, problem = BROKEN[name]
    code, output = check({path: text})
    assert code == 1
    assert output.startswith(f"{path}: ") and problem in output
    assert output.count("\n") == 1, "one mistake is one line"


def test_two_files_may_not_have_one_name(check):
    code, output = check({"base/pool.c": "", "net/pool.c": ""})
    assert (code, output) == (1, "net/pool.c: base/pool.c has that name too\n")


def test_words_in_comments_strings_and_names_are_no_calls(check):
    files = {
        "net/http.c": """
/* not system("x"), nor "strcpy(" */
static const char QUOTE = '"'; /* ' */
static const char *text = "sleep(1) // \\" system(";
static int my_system(int x);
int f(void)
{
    object->open(1);
    object.system(2);
    pb_random(data, 4);
    return openat(dir, name, O_RDONLY | O_CLOEXEC) + open(name, flags);
}
""",
    }
    assert check(files) == (0, "tree: ok\n")


def test_the_web_ui_is_not_c(check):
    files = {"web/node_modules/x/y.h": '#include "z.h"\n', "base/buf.h": ""}
    assert check(files) == (0, "tree: ok\n")


def test_a_rule_that_is_none_is_refused(check):
    code, output = check({"base/buf.h": ""}, rules="layer base\nlayers net base\n")
    assert code == 1 and "no such rule: layers net base" in output
