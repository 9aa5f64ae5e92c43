"""Compares each number, type and label of proto/milvus with the definitions that an official SDK ships.

The SDK (fetch_milvus_sdk.sh) holds them as protobuf.js JSON. Ours may leave things out, but what we have must be
there: services with their methods, messages with their fields, oneofs, enums with their values.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def official(folder):
    text = (folder / "dist/milvus/proto-json/milvus.base.js").read_text(encoding="utf-8")
    start = re.search(r"exports\.default\s*=\s*", text).end()
    tree, _ = json.JSONDecoder().raw_decode(text, start)
    found = {}

    def walk(node, path):
        found[path] = node
        for name, child in node.get("nested", {}).items():
            walk(child, f"{path}.{name}" if path else name)

    walk(tree, "")
    return found


def resolve(found, scope, name):
    """The full name of a type as protobuf resolves it: from the innermost scope outwards."""
    parts = scope.split(".")
    for length in range(len(parts), -1, -1):
        full = ".".join(parts[:length] + [name])
        if full in found and full != "":
            return full
    return name


def ours(protoc, root):
    # Decoded by protoc itself, so that no Python protobuf package is needed.
    files = sorted(root.glob("milvus/*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "set"
        subprocess.run([protoc, f"-I{root}", f"--descriptor_set_out={out}", *map(str, files)], check=True)
        include = pathlib.Path(protoc).resolve().parent.parent / "include"
        text = subprocess.run(
            [protoc, f"-I{include}", "--decode=google.protobuf.FileDescriptorSet", "google/protobuf/descriptor.proto"],
            input=out.read_bytes(), capture_output=True, check=True).stdout.decode()
    return parse_text(text)


def parse_text(text):
    """Protobuf's text format, as far as descriptors use it: a list of (key, value or nested list)."""
    stack = [[]]
    for line in text.splitlines():
        line = line.strip()
        if line.endswith("{"):
            nested = []
            stack[-1].append((line[:-1].strip(), nested))
            stack.append(nested)
        elif line == "}":
            stack.pop()
        elif line:
            key, value = line.split(": ", 1)
            stack[-1].append((key, json.loads(value) if value.startswith('"') else value))
    return stack[0]


def every(node, key):
    return [value for name, value in node if name == key]


def one(node, key, default=None):
    return next(iter(every(node, key)), default)


class Comparison:
    def __init__(self, found):
        self.found = found
        self.problems = []
        self.compared = 0

    def same(self, what, mine, theirs):
        self.compared += 1
        if mine != theirs:
            self.problems.append(f"{what}: ours is {mine!r}, the official one {theirs!r}")

    def find(self, kind, full, members):
        node = self.found.get(full)
        if node is None or members not in node:
            self.problems.append(f"{kind} {full} does not exist officially")
            return None
        return node

    def enum(self, path, node):
        theirs = self.find("enum", path, "values")
        for value in every(node, "value"):
            if theirs is not None:
                name = one(value, "name")
                self.same(f"{path}.{name}", int(one(value, "number", "0")), theirs["values"].get(name))

    def message(self, path, node):
        nested = {one(m, "name"): m for m in every(node, "nested_type")}
        maps = {f".{path}.{name}": m for name, m in nested.items() if "map_entry: true" in flat(m)}
        theirs = self.find("message", path, "fields")
        if theirs is None:
            return
        members = {f: name for name, group in theirs.get("oneofs", {}).items() for f in group["oneof"]}
        oneofs = [one(group, "name") for group in every(node, "oneof_decl")]
        for field in every(node, "field"):
            self.field(path, field, theirs["fields"], members, oneofs, maps)
        for child in every(node, "enum_type"):
            self.enum(f"{path}.{one(child, 'name')}", child)
        for name, child in nested.items():
            if f".{path}.{name}" not in maps:
                self.message(f"{path}.{name}", child)

    def field(self, path, field, fields, members, oneofs, maps):
        name = one(field, "name")
        what = f"{path}.{name}"
        official_field = fields.get(name) or fields.get(camel(name))
        if official_field is None:
            self.problems.append(f"{what} does not exist officially")
            return
        self.same(f"{what} number", int(one(field, "number")), official_field["id"])
        entry = maps.get(one(field, "type_name"))
        if entry is not None:
            key, value = (self.type_of(f) for f in every(entry, "field"))
            self.same(f"{what} map key", key, official_field.get("keyType"))
            self.same(f"{what} map value", value, self.resolved(path, official_field["type"]))
            return
        self.same(f"{what} type", self.type_of(field), self.resolved(path, official_field["type"]))
        repeated = one(field, "label") == "LABEL_REPEATED"
        self.same(f"{what} repeated", repeated, official_field.get("rule") == "repeated")
        group = one(field, "oneof_index")
        mine = oneofs[int(group)] if group is not None else None
        theirs = members.get(name) or members.get(camel(name))
        self.same(f"{what} oneof", normal(mine), normal(theirs))

    def resolved(self, scope, name):
        return name if name in SCALARS else resolve(self.found, scope, name)

    @staticmethod
    def type_of(field):
        named = one(field, "type_name")
        return named[1:] if named else one(field, "type").removeprefix("TYPE_").lower()

    def service(self, package, node):
        path = f"{package}.{one(node, 'name')}"
        theirs = self.find("service", path, "methods")
        for method in every(node, "method") if theirs else []:
            name = one(method, "name")
            official_method = theirs["methods"].get(name, {})
            for mine, their in (("input_type", "requestType"), ("output_type", "responseType")):
                self.same(f"{path}.{name} {mine}", one(method, mine)[1:],
                          resolve(self.found, package, official_method.get(their, "nothing")))


SCALARS = {"double", "float", "int64", "uint64", "int32", "uint32", "bool", "string", "bytes", "fixed64", "fixed32",
           "sint32", "sint64", "sfixed32", "sfixed64"}


def camel(name):
    return re.sub(r"_(.)", lambda m: m.group(1).upper(), name)


def normal(name):
    return None if name is None or name.startswith("_") else camel(name).lower()


def flat(node):
    return " ".join(f"{key}: {value}" if isinstance(value, str) else flat(value) for key, value in node)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protoc", default="protoc")
    parser.add_argument("--proto-root", type=pathlib.Path, default=HERE.parent.parent / "proto")
    arguments = parser.parse_args()
    folder = subprocess.run([str(HERE / "fetch_milvus_sdk.sh")], check=True, capture_output=True, text=True).stdout
    comparison = Comparison(official(pathlib.Path(folder.strip())))
    for file in every(ours(arguments.protoc, arguments.proto_root), "file"):
        package = one(file, "package")
        for node in every(file, "message_type"):
            comparison.message(f"{package}.{one(node, 'name')}", node)
        for node in every(file, "enum_type"):
            comparison.enum(f"{package}.{one(node, 'name')}", node)
        for node in every(file, "service"):
            comparison.service(package, node)
    for problem in comparison.problems:
        print(problem, file=sys.stderr)
    print(f"{comparison.compared} facts compared, {len(comparison.problems)} wrong")
    # A comparison that found nothing to compare proves nothing.
    return 1 if comparison.problems or comparison.compared < 500 else 0


if __name__ == "__main__":
    sys.exit(main())
