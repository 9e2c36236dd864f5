/** Runs lists of statements in SQLite, by the module of Python. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** A statement, or a statement with the texts that are bound to its `?`. */
export type BoundStatement = string | readonly [text: string, bound: readonly string[]];

export type Rows = readonly (readonly unknown[])[];

/**
 * A program that replies to lists of statements with lists of rows, or with the text of an error. Right and full joins
 * require SQLite 3.39.
 */
const ANSWER = `
import json, sqlite3, sys
if sqlite3.sqlite_version_info < (3, 39): sys.exit(3)
for line in sys.stdin:
    base = sqlite3.connect(":memory:")
    answers = []
    for statement in json.loads(line):
        if isinstance(statement, str): statement = [statement, []]
        try:
            answers.append([list(row) for row in base.execute(*statement).fetchall()])
        except Exception as error:
            answers.append(str(error))
    print(json.dumps(answers))
`;

/** Returns SQLite's answers to each list of statements, or null if SQLite is not installed. */
export function answersOfSqlite(runs: readonly (readonly BoundStatement[])[]): (Rows | string)[][] | null {
  const { status, stdout, stderr, error } = spawnSync("/usr/bin/python3", ["-c", ANSWER], {
    input: runs.map((statements) => JSON.stringify(statements)).join("\n"),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  if (error !== undefined || status === 3) return null;
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as (Rows | string)[]);
}
