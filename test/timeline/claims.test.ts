/**
 * Tests commands whose answers name what they took, at another position than where they were answered: they take the
 * same if it is still there, and nothing else.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Choice, NO_CHOICES } from "../../protocol/version-2/envelope.js";
import { AT, entry, key, pem, ROOT, Subject } from "./support/fold-subject.js";

const DAEMON = 3;

/** Returns a state in which a daemon's key may record choices, after the given commands. */
function begun(...lines: string[]): Subject {
  const subject = new Subject();
  subject.merge(entry("daemon", 1, [["CLUSTER", "ADD", pem(DAEMON)]], { key: key(ROOT) }));
  for (const [i, line] of lines.entries()) subject.merge(entry(`begun${i}`, 2 + i, [line]));
  return subject;
}

const LATER = 100;
/** Returns an entry in which a daemon has recorded the choice of one command. */
const claim = (name: string, after: number, line: string, choice: Choice) =>
  entry(name, LATER + after, [line], { key: key(DAEMON), choices: new Map([[0, choice]]) });

/** Each case: what the daemon took, the late command before it, and what the key holds at the end. */
const CASES: readonly {
  readonly has: string;
  readonly claim: string;
  readonly choice: Choice;
  readonly late: string;
  readonly asked: string;
  readonly gone: string;
}[] = [
  {
    has: "SADD s a b",
    claim: "SPOP s",
    choice: ["a"],
    late: "SREM s a",
    asked: "SMEMBERS s",
    gone: '["b"]',
  },
  {
    has: "SADD s a b c",
    claim: "SPOP s 2",
    choice: ["a", "b"],
    late: "SPOP s 1",
    asked: "SCARD s",
    gone: ":1",
  },
  { has: "SET k 1", claim: "GETDEL k", choice: ["1"], late: "SET k 2", asked: "GET k", gone: '"2"' },
];

for (const { has, claim: line, choice, late, asked, gone } of CASES)
  test(`${line} takes only what was answered, after a late ${late}`, () => {
    const subject = begun(has);
    subject.merge(claim("claim", 2, line, choice));
    const isPop = late.startsWith("SPOP");
    subject.merge(isPop ? claim("late", 1, late, ["a"]) : entry("late", LATER + 1, [late]));
    assert.equal(subject.ask(asked), gone);
    assert.deepEqual(...subject.states);
  });

test("a claim that was answered with nothing takes nothing", () => {
  const subject = begun();
  subject.merge(claim("claim", 2, "SPOP s", []), claim("other", 3, "GETDEL k", []));
  subject.merge(entry("late", LATER, ["SADD s a"]), entry("late2", LATER + 1, ["SET k v"]));
  assert.equal(subject.ask("SCARD s"), ":1");
  assert.equal(subject.ask("GET k"), '"v"');
});

test("choices apply to the commands of a transaction by their indexes", () => {
  const subject = begun("SADD s a b");
  const choices = new Map([
    [0, ["b"]],
    [2, ["x"]],
  ]);
  const lines = ["SPOP s", "SET k x", "GETDEL k"];
  subject.merge(entry("multi", LATER, lines, { key: key(DAEMON), multi: true, choices }));
  assert.equal(subject.ask("SISMEMBER s a"), ":1");
  assert.equal(subject.ask("SCARD s"), ":1");
  assert.equal(subject.ask("EXISTS k"), ":0");
});

test("only a daemon's key may sign choices", () => {
  const subject = begun("SADD s a b");
  const choices = new Map([[0, ["a"]]]);
  for (const fields of [
    { choices },
    { ...NO_CHOICES, expiries: new Map([[0, 1]]) },
    { choices, multi: true },
  ]) {
    const [answer] = subject.merge(entry(`client${JSON.stringify(fields)}`, LATER, ["SPOP s"], fields));
    assert.equal(answer?.outcome, "denied");
  }
  assert.equal(subject.ask("SCARD s"), ":2");
});

/** Returns an entry in which a daemon has recorded the expiry of a command's key. */
const kept = (name: string, after: number, line: string, expiry: number) =>
  entry(name, LATER + after, [line], { key: key(DAEMON), expiries: new Map([[0, AT + expiry]]) });

for (const line of [
  "INCR k",
  "HINCRBY k f 1",
  "APPEND k x",
  "LPUSH k x",
  "SADD k x",
  "ZADD k 1 x",
  "SET k v KEEPTTL",
])
  test(`${line} creates its key with the recorded expiry, and changes no other expiry`, () => {
    const type = line.split(" ")[0] as string;
    const deleted = begun(`${line}`, "PEXPIREAT k 1800000000000");
    deleted.merge(kept("kept", 2, line, 5_000_000));
    assert.equal(deleted.ask("PEXPIRETIME k"), ":1800000000000", `${type}: the key exists`);
    deleted.merge(entry("del", LATER + 1, ["DEL k"]));
    assert.equal(deleted.ask("PEXPIRETIME k"), `:${AT + 5_000_000}`);
    assert.deepEqual(...deleted.states);
    deleted.merge(entry("persist", LATER + 3, ["PERSIST k"]));
    assert.equal(deleted.ask("PEXPIRETIME k"), ":-1", `${type}: a later PERSIST`);
  });

test("a late PERSIST or SET is given no expiry by a later INCR", () => {
  for (const late of ["PERSIST k", "SET k 5"]) {
    const subject = begun("SET k 1 EX 600");
    subject.merge(kept("kept", 2, "INCR k", 600_002));
    subject.merge(entry("late", LATER + 1, [late]));
    assert.equal(subject.ask("PEXPIRETIME k"), ":-1", late);
    assert.deepEqual(...subject.states);
  }
});
