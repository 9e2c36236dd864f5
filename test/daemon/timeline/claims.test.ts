/**
 * Tests commands whose answers name what they took, at another position than where they were answered: they take the
 * same if it is still there, and nothing else.
 */
import "../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Choice, NO_CHOICES } from "../../../protocol/version-2/envelope.js";
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

/** What is applied first, although it arrives later: a command of a client, or of a daemon that took something. */
type Late = string | readonly [line: string, choice: Choice];

/** Each case: what the daemon took, the late command before it, and what the keys hold at the end. */
interface Case {
  readonly has: string | readonly string[];
  readonly claim: string;
  readonly choice: Choice;
  readonly late: Late;
  readonly holds: Readonly<Record<string, string>>;
}

const SETS: readonly Case[] = [
  {
    has: "SADD s a b",
    claim: "SPOP s",
    choice: ["a"],
    late: "SREM s a",
    holds: { "SMEMBERS s": '["b"]' },
  },
  {
    has: "SADD s a b c",
    claim: "SPOP s 2",
    choice: ["a", "b"],
    late: ["SPOP s 1", ["a"]],
    holds: { "SCARD s": ":1" },
  },
  {
    has: "SADD s a b",
    claim: "SPOP s 2",
    choice: ["a", "a"],
    late: "SADD s a",
    holds: { "SMEMBERS s": '["b"]' },
  },
  {
    has: "SET k 1",
    claim: "GETDEL k",
    choice: ["1"],
    late: "SET k 2",
    holds: { "GET k": '"2"' },
  },
];

const ALL = (key: string) => `LRANGE ${key} 0 -1`;
const LISTS: readonly Case[] = [
  {
    has: "RPUSH l a b",
    claim: "LPOP l",
    choice: ["a"],
    late: "LPUSH l y",
    holds: { [ALL("l")]: '["y" "b"]' },
  },
  {
    has: "RPUSH l a b c",
    claim: "LPOP l 2",
    choice: ["a", "b"],
    late: ["LPOP l", ["a"]],
    holds: { [ALL("l")]: '["c"]' },
  },
  {
    has: "RPUSH l a b a",
    claim: "RPOP l",
    choice: ["a"],
    late: "RPUSH l b",
    holds: { [ALL("l")]: '["a" "b" "b"]' },
  },
  { has: "RPUSH l a", claim: "RPOP l", choice: ["a"], late: "LSET l 0 b", holds: { [ALL("l")]: '["b"]' } },
  {
    has: "RPUSH l a b c d",
    claim: "RPOP l 3",
    choice: ["d", "c", "b"],
    late: "LREM l 1 c",
    holds: { [ALL("l")]: '["a"]' },
  },
  {
    has: "RPUSH l2 a b",
    claim: "LMPOP 2 l1 l2 LEFT",
    choice: ["l2", "a"],
    late: "RPUSH l1 z",
    holds: { [ALL("l1")]: '["z"]', [ALL("l2")]: '["b"]' },
  },
  {
    has: "RPUSH l2 a b",
    claim: "BLPOP l1 l2 0",
    choice: ["l2", "a"],
    late: "SET l1 z",
    holds: { "GET l1": '"z"', [ALL("l2")]: '["b"]' },
  },
  {
    has: "RPUSH l a",
    claim: "BRPOP l 0",
    choice: ["l", "a"],
    late: "RPUSH l z",
    holds: { [ALL("l")]: '["z"]' },
  },
  {
    has: "RPUSH l a b",
    claim: "BLMPOP 0 1 l RIGHT COUNT 2",
    choice: ["l", "b", "a"],
    late: ["RPOP l", ["b"]],
    holds: { "EXISTS l": ":0" },
  },
  ...["LMOVE l m LEFT RIGHT", "BLMOVE l m LEFT RIGHT 0", "RPOPLPUSH l m", "BRPOPLPUSH l m 0"].flatMap(
    (line): Case[] => [
      {
        has: "RPUSH l a",
        claim: line,
        choice: ["a"],
        late: "DEL l",
        holds: { "EXISTS l": ":0", "EXISTS m": ":0" },
      },
      {
        has: "RPUSH l a",
        claim: line,
        choice: ["a"],
        late: line.includes("LEFT") ? "LPUSH l z" : "RPUSH l z",
        holds: { [ALL("l")]: '["z"]', [ALL("m")]: '["a"]' },
      },
    ],
  ),
  {
    has: "RPUSH l a b",
    claim: "LMOVE l l LEFT RIGHT",
    choice: ["a"],
    late: "LPUSH l y",
    holds: { [ALL("l")]: '["y" "b" "a"]' },
  },
  // A daemon cannot name a key that the command does not name.
  {
    has: "RPUSH other a",
    claim: "BLPOP l 0",
    choice: ["other", "a"],
    late: "SET unrelated 1",
    holds: { [ALL("other")]: '["a"]' },
  },
];

const SCORES = (key: string) => `ZRANGE ${key} 0 -1 WITHSCORES`;
const SORTED_SETS: readonly Case[] = [
  {
    has: "ZADD z 1 a 2 b",
    claim: "ZPOPMIN z",
    choice: ["a", "1"],
    late: "ZADD z 0 y",
    holds: { [SCORES("z")]: '["y" ,0 "b" ,2]' },
  },
  // A job that was scheduled again, with another score, is another job.
  {
    has: "ZADD z 1 a 2 b",
    claim: "ZPOPMIN z",
    choice: ["a", "1"],
    late: "ZADD z 5 a",
    holds: { [SCORES("z")]: '["b" ,2 "a" ,5]' },
  },
  {
    has: "ZADD z 1 a 2 b 3 c",
    claim: "ZPOPMIN z 2",
    choice: ["a", "1", "b", "2"],
    late: "ZADD z 5 a",
    holds: { [SCORES("z")]: '["c" ,3 "a" ,5]' },
  },
  {
    has: "ZADD z 1 a 2 b inf c",
    claim: "ZPOPMAX z 2",
    choice: ["c", "Infinity", "b", "2"],
    late: ["ZPOPMAX z", ["c", "Infinity"]],
    holds: { [SCORES("z")]: '["a" ,1]' },
  },
  {
    has: "ZADD z2 0.1 a",
    claim: "ZMPOP 2 z1 z2 MIN COUNT 3",
    choice: ["z2", "a", "0.1"],
    late: "ZADD z1 1 x",
    holds: { [SCORES("z1")]: '["x" ,1]', "EXISTS z2": ":0" },
  },
  {
    has: "ZADD z 1 a 2 b",
    claim: "BZMPOP 0 1 z MAX",
    choice: ["z", "b", "2"],
    late: "ZADD z 3 y",
    holds: { [SCORES("z")]: '["a" ,1 "y" ,3]' },
  },
  {
    has: "ZADD z2 1 a",
    claim: "BZPOPMIN z1 z2 0",
    choice: ["z2", "a", "1"],
    late: "SET z1 x",
    holds: { "GET z1": '"x"', "EXISTS z2": ":0" },
  },
  {
    has: "ZADD z 1 a",
    claim: "BZPOPMAX z 0",
    choice: ["z", "a", "1"],
    late: ["ZPOPMIN z", ["a", "1"]],
    holds: { "EXISTS z": ":0" },
  },
];

const READ = (consumer: string, options = "") => `XREADGROUP GROUP g ${consumer} ${options}STREAMS s >`;
const GROUP = ["XADD s 1-0 f a", "XADD s 2-0 f b", "XGROUP CREATE s g 0"];
/** Two entries, which the consumer a has received. */
const PENDING = [...GROUP, READ("a")];
const STREAMS: readonly Case[] = [
  {
    has: GROUP,
    claim: READ("c", "COUNT 1 "),
    choice: ["0", "1", "1-0"],
    late: [READ("d", "COUNT 1 "), ["0", "1", "1-0"]],
    holds: { "XPENDING s g": '[:1 "1-0" "1-0" [["d" "1"]]]' },
  },
  {
    has: GROUP,
    claim: READ("c"),
    choice: ["0", "2", "1-0", "2-0"],
    late: "XDEL s 1-0",
    holds: { "XPENDING s g": '[:1 "2-0" "2-0" [["c" "1"]]]' },
  },
  {
    has: GROUP,
    claim: READ("c", "NOACK "),
    choice: ["0", "2", "1-0", "2-0"],
    late: [READ("d", "COUNT 1 "), ["0", "1", "1-0"]],
    holds: { "XPENDING s g": '[:1 "1-0" "1-0" [["d" "1"]]]', [READ("e")]: "nil-array" },
  },
  ...["XAUTOCLAIM s g c 1000000 0", "XCLAIM s g c 1000000 1-0 2-0"].flatMap((line): Case[] => {
    const transfers = ["1-0", "=a", "2-0", "=a"];
    const choice = line.startsWith("XA") ? ["0-0", ...transfers] : transfers;
    const holds = { "XPENDING s g": '[:2 "1-0" "2-0" [["c" "2"]]]' };

    return [
      // The entries have just been delivered again, and are transferred all the same.
      { has: PENDING, claim: line, choice, late: "XREADGROUP GROUP g a STREAMS s 0", holds },
      {
        has: PENDING,
        claim: line,
        choice,
        late: "XACK s g 1-0",
        holds: { "XPENDING s g": '[:1 "2-0" "2-0" [["c" "1"]]]' },
      },
      {
        has: PENDING,
        claim: line,
        choice,
        late: "XCLAIM s g d 0 2-0",
        holds: { "XPENDING s g": '[:2 "1-0" "2-0" [["c" "1"] ["d" "1"]]]' },
      },
      {
        has: PENDING,
        claim: line,
        choice,
        late: "XDEL s 2-0",
        holds: { "XPENDING s g": '[:1 "1-0" "1-0" [["c" "1"]]]' },
      },
    ];
  }),
];

for (const { has, claim: line, choice, late, holds } of [...SETS, ...LISTS, ...SORTED_SETS, ...STREAMS])
  test(`${line} takes only what was answered, after a late ${late}`, () => {
    const subject = begun(...(typeof has === "string" ? [has] : has));
    subject.merge(claim("claim", 2, line, choice));
    subject.merge(typeof late === "string" ? entry("late", LATER + 1, [late]) : claim("late", 1, ...late));
    for (const [asked, held] of Object.entries(holds)) assert.equal(subject.ask(asked), held, asked);
    assert.deepEqual(...subject.states);
  });

test("a claim that was answered with nothing takes nothing", () => {
  const subject = begun();
  subject.merge(claim("claim", 2, "SPOP s", []), claim("other", 3, "GETDEL k", []));
  subject.merge(entry("late", LATER, ["SADD s a"]), entry("late2", LATER + 1, ["SET k v"]));
  assert.equal(subject.ask("SCARD s"), ":1");
  assert.equal(subject.ask("GET k"), '"v"');
});

/** A daemon delivers 1-0 and 3-0, and then receives 2-0, which was added before. */
function withSkippedEntry(): Subject {
  const subject = begun("XADD s 1-0 f a", "XGROUP CREATE s g 0");
  subject.merge(
    entry("three", LATER + 2, ["XADD s 3-0 f c"]),
    claim("read", 3, READ("c"), ["0", "2", "1-0", "3-0"]),
  );
  subject.merge(entry("two", LATER + 1, ["XADD s 2-0 f b"]));
  return subject;
}

test("an entry that was added late before a delivery is delivered by the next one", () => {
  const subject = withSkippedEntry();
  assert.match(subject.ask("XINFO GROUPS s"), /"last-delivered-id" "3-0" "entries-read" :2 "lag" :1/);
  assert.deepEqual(subject.replies(claim("next", 5, READ("d", "COUNT 1 "), ["0", "1", "2-0"])), [
    '["s" [["2-0" ["f" "b"]]]]',
  ]);
  assert.match(subject.ask("XINFO GROUPS s"), /"last-delivered-id" "3-0" "entries-read" :3 "lag" :0/);
  assert.deepEqual(...subject.states);
  // An earlier delivery of the entry, to another consumer, precedes.
  subject.merge(claim("before", 4, READ("e"), ["0", "1", "2-0"]));
  assert.equal(subject.ask("XPENDING s g - + 9 d"), "[]");
  assert.deepEqual(...subject.states);
});

test("skipped entries are delivered in order, before new ones, and only while they exist", () => {
  const subject = withSkippedEntry();
  subject.merge(entry("four", LATER + 4, ["XADD s 4-0 f d"]));
  subject.merge(entry("late", LATER + 1, ["XADD s 2-1 f b"], { seq: 1 }));
  subject.merge(entry("copy", LATER + 5, ["COPY s t"]), entry("deleted", LATER + 6, ["XDEL s 2-0"]));
  const next = (name: string, key: string) =>
    subject.replies(entry(name, LATER + 7, [`XREADGROUP GROUP g d COUNT 2 STREAMS ${key} >`]));
  assert.deepEqual(next("next", "s"), ['["s" [["2-1" ["f" "b"]] ["4-0" ["f" "d"]]]]']);
  assert.deepEqual(next("copied", "t"), ['["t" [["2-0" ["f" "b"]] ["2-1" ["f" "b"]]]]']);
  assert.deepEqual(next("nothing", "s"), ["nil-array"]);
  assert.deepEqual(...subject.states);
});

test("XGROUP SETID also decides about skipped entries", () => {
  const subject = withSkippedEntry();
  subject.merge(entry("set", LATER + 4, ["XGROUP SETID s g 3-0"]));
  assert.equal(subject.ask(READ("d")), "nil-array");
  subject.merge(entry("again", LATER + 5, ["XGROUP SETID s g 1-0"]));
  assert.match(subject.ask(READ("d")), /2-0.*3-0/);
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

test("each unit of an envelope takes what was recorded for its own commands", () => {
  const subject = begun("RPUSH l a b c d");
  const lines = ["LPOP l", "SET k 1", "LPOP l", "INCR n"];
  const choices = new Map([
    [0, ["a"]],
    [2, ["b"]],
  ]);
  const expiries = new Map([[3, AT + 5_000_000]]);
  const units = [2, 2];
  subject.merge(entry("units", LATER, lines, { key: key(DAEMON), units, choices, expiries }));
  assert.equal(subject.ask("LRANGE l 0 -1"), '["c" "d"]');
  assert.equal(subject.ask("PEXPIRETIME n"), `:${AT + 5_000_000}`);
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
  "XADD k * f v",
  "XGROUP CREATE k g $ MKSTREAM",
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
