"""Replies against openapi.yaml: the part of JSON Schema that the file uses, and stricter in one thing: a member that the
contract does not name is a finding, too."""

import json
import pathlib
import re

import yaml

FILE = pathlib.Path(__file__).resolve().parents[2] / "platform/server/api/openapi.yaml"
DOCUMENT = yaml.safe_load(FILE.read_text())
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict, "null": type(None)}


def resolve(schema):
    while "$ref" in schema:
        node = DOCUMENT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def is_kind(value, kind):
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, KINDS[kind])


def findings(value, schema, at="$"):
    schema = resolve(schema)
    if "oneOf" in schema:
        each = [findings(value, one, at) for one in schema["oneOf"]]
        return [] if any(not found for found in each) else [f"{at}: none of the forms fits: {min(each, key=len)}"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_kind(value, kind) for kind in kinds):
        return [f"{at}: {value!r} is no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{at}: {value!r} is not {schema['const']!r}"]
    if schema.get("format") == "date-time" and value is not None and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
        return [f"{at}: {value!r} is no time"]
    found = []
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            found += findings(item, schema["items"], f"{at}[{number}]")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, member in value.items():
            if name not in schema["properties"]:
                found.append(f"{at}: {name} is not in the contract")
            else:
                found += findings(member, schema["properties"][name], f"{at}.{name}")
    return found


def operation(method, path):
    """The operation of a request, None for what is no route."""
    for pattern, item in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) and method.lower() in item:
            return item[method.lower()]
    return None


def check(method, path, status, content_type, body):
    """Asserts that a reply is one the contract promises."""
    found = operation(method, path.split("?")[0])
    if found is None:
        return
    replies = found["responses"]
    reply = resolve(replies.get(str(status)) or replies.get("default") or {})
    assert reply, f"{method} {path}: {status} is not in the contract"
    content = reply.get("content", {})
    kind = (content_type or "").split(";")[0]
    if not content:
        assert not body, f"{method} {path}: {status} has a body"
        return
    assert kind in content, f"{method} {path}: {status} as {kind} is not in the contract"
    if kind.endswith("json"):
        wrong = findings(json.loads(body), content[kind]["schema"])
        assert not wrong, f"{method} {path}: {status}: {wrong[:5]}"
