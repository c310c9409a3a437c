#!/usr/bin/env bash
# Versions: @hey-api/openapi-ts 0.99.0 with its zod plugin, typescript 6.0.3.
# Done: generated a zod schema from a description with two patterns: one that forbids line feeds and
#   one that forbids the line separator U+2028, each with the character itself in the string.
# Came: the generator ends with 0 and writes the characters as they are between the slashes of a
#   regular expression, where a line may not end: the file is a syntax error.
# Expected: \n and \u2028 there. JSON Schema 2020-12 (validation, 6.3.3) wants a pattern to be valid
#   in ECMA-262's dialect, and RegExp takes both; ECMA-262, section 12.9.5, allows no line terminator
#   in a literal, and EscapeRegExpPattern (22.2.6) is there for that.
set -euo pipefail

for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed, so nothing was tried"; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --prefix "$folder" --silent --no-audit --no-fund @hey-api/openapi-ts@0.99.0 typescript@6.0.3
cat > "$folder/try.cjs" <<'JS'
const { execFileSync } = require("node:child_process");
const { readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const ts = require("typescript");

const generator = path.join(__dirname, "node_modules", "@hey-api", "openapi-ts");
console.log("@hey-api/openapi-ts", require(path.join(generator, "package.json")).version, "typescript", ts.version);
const bin = Object.values(require(path.join(generator, "package.json")).bin)[0];

// What the compiler says of the generated file's syntax.
function generate(name, pattern) {
  const schema = { type: "object", properties: { name: { type: "string", pattern } } };
  const description = {
    openapi: "3.1.0",
    info: { title: "Names", version: "1" },
    paths: {},
    components: { schemas: { Named: schema } },
  };
  const input = path.join(__dirname, `${name}.json`);
  const output = path.join(__dirname, name);
  writeFileSync(input, JSON.stringify(description));
  execFileSync("node", [path.join(generator, bin), "-i", input, "-o", output, "-p", "zod"], { stdio: "pipe" });
  const file = ts.createSourceFile("a.ts", readFileSync(path.join(output, "zod.gen.ts"), "utf8"), 99);
  return file.parseDiagnostics.map((diagnostic) => diagnostic.messageText);
}

let changed = false;
for (const [name, character] of [["letter", "x"], ["line-feed", "\n"], ["line-separator", "\u2028"]]) {
  const pattern = `^[^${character}]+$`;
  const works = new RegExp(pattern).test("Ann") && !new RegExp(pattern).test(character);
  const errors = generate(name, pattern);
  const verdict = works ? "RegExp takes it" : "RegExp refuses it";
  console.log(`${JSON.stringify(pattern)}: ${verdict}; generated: ${errors[0] ?? "no error"}`);
  const expected = character === "x" ? undefined : "Unterminated regular expression literal.";
  if (!works || errors[0] !== expected) {
    console.log(`    this has changed: it was ${expected ?? "no error"}`);
    changed = true;
  }
}
process.exitCode = Number(changed);
JS
node "$folder/try.cjs"
