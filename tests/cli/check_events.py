"""check_events.py SCHEMA: every line of standard input is an event as the schema says. With the module jsonschema where it is
installed; a small checker of the words that the schema uses looks in any case."""
import json
import re
import sys

TYPES = {"object": dict, "string": str, "boolean": bool, "null": type(None)}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def is_plain_right(value, s):
    names = s.get("type", [])
    names = [names] if isinstance(names, str) else names
    is_number = is_type(value, "number")
    return not (
        (names and not any(is_type(value, n) for n in names))
        or ("const" in s and (value != s["const"] or type(value) is not type(s["const"])))
        or ("enum" in s and value not in s["enum"])
        or ("pattern" in s and isinstance(value, str) and not re.search(s["pattern"], value))
        or (isinstance(value, str) and len(value) < s.get("minLength", 0))
        or (is_number and value < s.get("minimum", value))
        or (is_number and value > s.get("maximum", value))
        or (isinstance(value, dict) and any(n not in value for n in s.get("required", [])))
    )


def check(value, s, root):
    """The members that the schema accounts for, None when the value is not as it says."""
    if not is_plain_right(value, s):
        return None
    known = set()
    parts = list(s.get("allOf", []))
    if "$ref" in s:
        parts.append(root["$defs"][s["$ref"].rsplit("/", 1)[1]])
    for part in parts:
        found = check(value, part, root)
        if found is None:
            return None
        known |= found
    for word in ("oneOf", "anyOf"):
        found = [f for f in (check(value, part, root) for part in s.get(word, [])) if f is not None]
        if word in s and (not found or (word == "oneOf" and len(found) > 1)):
            return None
        known |= set().union(*found)
    if "not" in s and check(value, s["not"], root) is not None:
        return None
    if not isinstance(value, dict):
        return known
    for name, inner in value.items():
        part = s.get("properties", {}).get(name)
        if part is None and isinstance(s.get("additionalProperties"), dict):
            part = s["additionalProperties"]
        if part is not None:
            if check(inner, part, root) is None:
                return None
            known.add(name)
    closed = s.get("unevaluatedProperties", True) is False or s.get("additionalProperties", True) is False
    return None if closed and set(value) - known else known


def validator(schema):
    try:
        import jsonschema
    except ImportError:
        return lambda event: None
    made = jsonschema.Draft202012Validator(schema)
    made.check_schema(schema)

    def validate(event):
        for error in made.iter_errors(event):
            return error.message

    return validate


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    validate = validator(schema)
    kinds = set()
    bad = 0
    for line in sys.stdin:
        event = json.loads(line)
        why = validate(event) or (check(event, schema, schema) is None and "is not as the schema says")
        kinds.add(event.get("event"))
        if why:
            print(f"{why}: {line}", end="")
            bad = 1
    print(" ".join(sorted(kinds)))
    return bad


sys.exit(main())
