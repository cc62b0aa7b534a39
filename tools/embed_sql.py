#!/usr/bin/env python3
"""Writes the migrations as C: embed_sql.py OUT.c FILE.sql… (see platform/server/store/schema.h)."""
import hashlib
import pathlib
import re
import sys


def c_text(data):
    lines = data.decode("utf-8").split("\n")
    quoted = [re.sub(r'(["\\])', r"\\\1", line) for line in lines]
    return "\n".join(f'    "{line}\\n"' for line in quoted)


def main():
    out, files = sys.argv[1], sorted(map(pathlib.Path, sys.argv[2:]), key=lambda f: f.name)
    there = sorted(files[0].parent.glob("*.sql"))
    if [f.name for f in there] != [f.name for f in files]:
        sys.exit("meson.build does not list every file of " + str(files[0].parent))
    rows, texts = [], []
    for number, file in enumerate(files, 1):
        if not re.fullmatch(rf"{number:04}_[a-z0-9_]+\.sql", file.name):
            sys.exit(f"{file.name}: expected {number:04}_words_like_this.sql (numbers without a gap)")
        data = file.read_bytes()
        texts.append(f"static const char SQL_{number}[] =\n{c_text(data)};\n")
        digest = hashlib.sha256(data).hexdigest()
        rows.append(f'    {{{number}, "{file.name}", SQL_{number}, "{digest}"}},')
    pathlib.Path(out).write_text(
        "/* Made by tools/embed_sql.py from migrations/. */\n"
        '#include "server/store/schema.h"\n\n'
        + "\n".join(texts)
        + "\nconst struct pb_migration PB_MIGRATIONS[] = {\n"
        + "\n".join(rows)
        + "\n};\nconst size_t PB_MIGRATION_COUNT = sizeof(PB_MIGRATIONS) / sizeof(PB_MIGRATIONS[0]);\n")


main()
