#!/usr/bin/env python3
"""Writes platform/server/api/routes.def from openapi.yaml: routes, permissions, body tables.

    tools/gen_routes.py            write it (needs python3-yaml)
    tools/gen_routes.py --check    fail when the committed file is not what would be written

A build needs neither this script nor PyYAML: routes.def is committed.
"""
import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent / "platform/server/api"
METHODS = ("get", "post", "put", "patch", "delete")
HEAD = """/* Generated from openapi.yaml by tools/gen_routes.py; do not edit.
 *
 * BODY_BEGIN(schema) MEMBER(name, kind, required, nullable, min, max, words) … BODY_END
 * ROUTE(method, path, permission, pool, handler, body)
 */
"""


def resolve(document, schema):
    while "$ref" in schema:
        node = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def member_row(document, name, schema, required):
    schema = resolve(document, schema)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    nullable = "null" in kinds
    kind = next(k for k in kinds if k != "null")
    low, high, words = 0, 0, "NULL"
    if "enum" in schema:
        kind, words = "WORD", '"' + "|".join(schema["enum"]) + '"'
    elif kind == "string":
        kind, low, high = "TEXT", schema.get("minLength", 0), schema["maxLength"]
    elif kind in ("integer", "number"):
        kind = kind.upper()
        low = schema.get("minimum", "INT64_MIN")
        high = schema.get("maximum", "INT64_MAX")
    elif kind == "boolean":
        kind = "BOOLEAN"
    elif kind == "array":
        items = resolve(document, schema["items"])
        kind = "TEXTS" if items["type"] == "string" else "OBJECTS"
        low, high = items.get("maxLength", 0), schema["maxItems"]
    else:
        sys.exit(f"gen_routes: member {name}: no kind for {schema}")
    flags = f"{str(name in required).lower()}, {str(nullable).lower()}"
    return f'MEMBER("{name}", {kind}, {flags}, {low}, {high}, {words})'


def body_name(operation):
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return None
    return content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]


def generate(document):
    lines, bodies = [HEAD], []
    routes = []
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            body = body_name(operation)
            if body and body not in bodies:
                bodies.append(body)
            pool = "SLOW" if operation.get("x-slow") else "LOOP" if operation.get("x-loop") else "QUICK"
            if pool == "LOOP" and operation["x-permission"] != "PUBLIC":
                sys.exit(f"gen_routes: {path}: only a loop's own PUBLIC operations are answered there")
            routes.append(f'ROUTE({method.upper()}, "{path}", {operation["x-permission"]}, {pool}, '
                          f'{operation["operationId"]}, {"BODY_" + body if body else "NULL"})')
    for name in bodies:
        schema = document["components"]["schemas"][name]
        if schema.get("additionalProperties") is not False:
            sys.exit(f"gen_routes: {name}: additionalProperties must be false")
        lines.append(f"BODY_BEGIN({name})")
        lines += [member_row(document, member, value, schema.get("required", []))
                  for member, value in schema["properties"].items()]
        lines.append("BODY_END\n")
    return "\n".join(lines + routes) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    try:
        import yaml
    except ImportError:
        print("gen_routes: python3-yaml is not installed, skipping", file=sys.stderr)
        sys.exit(77)
    text = generate(yaml.safe_load((HERE / "openapi.yaml").read_text()))
    target = HERE / "routes.def"
    if arguments.check:
        if target.read_text() != text:
            sys.exit("gen_routes: routes.def is not what openapi.yaml says; run tools/gen_routes.py")
    else:
        target.write_text(text)


if __name__ == "__main__":
    main()
