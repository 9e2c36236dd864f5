/**
 * Tests the units in which programs that touch decided keys are recorded, and the turns of daemons whose programs touch
 * the same keys. Source: docs/decisions/0082-programs-on-decided-keys.md.
 */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ProgramUnit,
  tryPrograms,
  withoutDecidedKeys,
} from "../../../../daemon/cluster/replica/decided-programs.js";
import { ProgramTurns } from "../../../../daemon/cluster/replica/program-turns.js";
import { tryUnits } from "../../../../daemon/cluster/replica/tried-units.js";
import type { GatewayAnswer, GatewayProgram } from "../../../../daemon/cluster/replica/waiting-group.js";
import type { LastWrite, StepRunner } from "../../../../daemon/engine/backends/command-path.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import { DecidedPatterns } from "../../../../daemon/store/rights/decided-patterns.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { array, bulk, type Reply } from "../../../../protocol/reply.js";
import { type Condition, type Envelope, IF_KEYS_MAX } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { nextTurn } from "../../../support/until.js";

const NOW = 1_790_000_000_000;
const PATTERNS = DecidedPatterns.NONE.with({ glob: "d:*", db: null, announcedAt: 1, isBegun: true });
const OWN = "b".repeat(32);

const lastWriteOf = (): LastWrite => ({ orderKey: null, unapplied: 0, deciding: null, following: 0 });

/** Returns a program that runs commands; `in N:` before one runs it in database N. */
function program(
  lines: readonly string[],
  { db = 0, lastWrite = lastWriteOf(), conditions = [] as Condition[] } = {},
) {
  const told: string[] = [];
  const call = (run: StepRunner, line: string): Reply => {
    const [, at = String(db), text = ""] = /^(?:in (\d+): )?(.*)$/.exec(line) ?? [];
    const argv = text.split(" ");
    return run(commandTable.resolve(argv) as Command, argv, Number(at));
  };
  const made: GatewayProgram = {
    ...{ isStable: false, replicated: undefined, lastWrite, conditions, readsOnly: false },
    sender: { db, now: NOW, as: null, isStable: false, readsAll: true, lastWrite },
    run: (run) => array(lines.map((line) => call(run, line))),
    recording: (calls) => void told.push(`recording ${calls.length}`),
    answerRead: () => void told.push("read"),
    answered: (answer: GatewayAnswer) => void told.push(answer.kind),
  };
  return Object.assign(made, { told });
}

/** A database with keys, each with its writer, and a function that runs programs on it. */
function scene() {
  const database = new Database();
  const write = (line: string, id: string) => {
    const argv = line.split(" ");
    database.execute(argv, { at: NOW, seq: 0, db: 0, id });
  };
  const state = { database, stepsMax: 1_000_000, unitId: () => "u".repeat(36) };
  const date = { at: NOW + 1, seq: 0 };
  const run = (
    programs: readonly GatewayProgram[],
    { areApart = false, turns = Number.POSITIVE_INFINITY } = {},
  ) => {
    let ran = 0;
    const isOver = () => ++ran >= turns;
    return tryPrograms(programs, { state, date, patterns: PATTERNS, isOver, areApart });
  };
  return { database, state, date, write, run };
}

const idOf = (name: string): string => name.padEnd(36, ".");
const shown = ({ commands, conditions, programs }: ProgramUnit) => ({
  commands: commands.map((argv) => argv.join(" ")),
  if: conditions.map(({ db, key, writer }) => `${db} ${key} ${writer.replaceAll(".", "") || "absent"}`),
  programs: programs.length,
});

test("a unit has a condition for each decided key that its program touches, and for no other key", () => {
  const { database, write, run } = scene();
  write("SET d:a 1", idOf("first"));
  write("SET plain 1", idOf("second"));
  const { units, ran } = run([program(["GET d:a", "GET plain", "EXISTS d:b", "SET d:c x", "SET other y"])]);
  assert.equal(ran, 1);
  assert.deepEqual(units.map(shown), [
    {
      commands: ["SET d:c x", "SET other y"],
      if: ["0 d:a first", "0 d:b absent", "0 d:c absent"],
      programs: 1,
    },
  ]);
  assert.equal(database.writerOf(0, "d:c", NOW + 1), "", "nothing is left of the run");
  const sorted = run([program(["SORT d:list BY d:weight:* GET d:a"])]);
  assert.deepEqual(sorted.units.map(shown), [{ commands: [], if: ["0 d:list absent"], programs: 1 }]);
});

test("programs of one unit see what those before them have written, and its conditions are from before all", () => {
  const { write, run } = scene();
  write("SET d:n 5", idOf("old"));
  const second = program(["GET d:n", "APPEND d:n 7"]);
  const { units } = run([program(["SET d:n 6"]), second]);
  assert.deepEqual(units.map(shown), [
    { commands: ["SET d:n 6", "APPEND d:n 7"], if: ["0 d:n old"], programs: 2 },
  ]);
});

test("a program that writes nothing belongs to the unit, with its conditions and its reply", () => {
  const { write, run } = scene();
  write("SET d:a 1", idOf("old"));
  const reader = program(["GET d:a"]);
  const { units } = run([reader, program(["DEL d:b"])]);
  assert.deepEqual(units.map(shown), [{ commands: [], if: ["0 d:a old", "0 d:b absent"], programs: 2 }]);
  assert.deepEqual(units[0]?.read.get(reader), array([bulk("1")]));
});

test("a watched key is a condition of the unit, also if it is not decided", () => {
  const { write, run } = scene();
  write("SET watched 1", idOf("old"));
  const conditions = [{ db: 0, key: "watched", writer: idOf("old") }];
  const { units } = run([program(["SET d:a 1"], { conditions })]);
  assert.deepEqual(units.map(shown), [
    { commands: ["SET d:a 1"], if: ["0 watched old", "0 d:a absent"], programs: 1 },
  ]);
});

test("programs that share no keys and no connection are separate units once one was contested", () => {
  const { run } = scene();
  const lastWrite = lastWriteOf();
  const programs = [
    program(["SET d:a 1"]),
    program(["SET d:b 1"]),
    program(["SET d:c 1", "GET d:a"]),
    program(["SET d:x 1"], { lastWrite }),
    program(["SET d:y 1"], { lastWrite }),
  ];

  assert.equal(run(programs).units.length, 1);
  const { units } = run(programs, { areApart: true });
  assert.deepEqual(units.map(({ commands }) => commands.map((argv) => argv[1])).sort(), [
    ["d:a", "d:c"],
    ["d:b"],
    ["d:x", "d:y"],
  ]);

  const wide = run([...programs, program(["DBSIZE"])], { areApart: true });
  assert.equal(wide.units.length, 1, "a program that reads all keys is decided with all others");
});

test("a unit writes to one database, and programs for another one wait", () => {
  const { run } = scene();
  const { units, ran } = run([
    program(["SET d:a 1"]),
    program(["SET d:b 1"], { db: 1 }),
    program(["SET d:c 1"]),
  ]);
  assert.equal(ran, 1);
  assert.deepEqual(
    units.map(({ db }) => db),
    [0],
  );
});

test("programs whose conditions are too long for one unit wait", () => {
  const { run } = scene();
  const long = (name: string) =>
    program(Array.from({ length: 400 }, (_, n) => `GET d:${name}:${n}:${"x".repeat(300)}`));
  const { units, ran } = run([long("a"), long("b")]);
  assert.equal(ran, 1);
  assert.equal(units[0]?.conditions.length, 400);
});

test("programs that do not run in this turn wait", () => {
  const { run } = scene();
  const programs = [program(["SET d:a 1"]), program(["SET d:b 1"]), program(["SET d:c 1"])];
  assert.equal(run(programs, { turns: 2 }).ran, 2);
});

test("a program with too many decided keys is refused, and one that takes elements from elsewhere, too", () => {
  const { write, run } = scene();
  write("RPUSH plain x", idOf("old"));
  const keys = Array.from({ length: IF_KEYS_MAX + 1 }, (_, n) => `GET d:${n}`);
  const { refused, units } = run([
    program(keys),
    program(["LPOP plain", "SET d:a 1"]),
    program(["SET d:a 1", "LPOP plain"]),
    program(["LPOP d:list", "SET d:b 1"]),
  ]);
  assert.deepEqual(
    refused.map(({ answer }) => (answer.kind === "error" ? answer.text.split(",")[0] : answer.kind)),
    ["TOOMUCH nothing was done", "ERR nothing was done", "ERR nothing was done"],
  );
  assert.deepEqual(units.map(shown), [
    { commands: ["SET d:b 1"], if: ["0 d:list absent", "0 d:b absent"], programs: 1 },
  ]);
});

test("no program touches decided keys by their names after it has written all keys, or one before it in the unit", () => {
  const { write, run } = scene();
  write("SET d:a 1", idOf("old"));
  const flushing = program(["GET d:a", "FLUSHDB", "SET d:a 2"]);
  const { units, ran } = run([flushing, program(["GET d:a"])]);
  assert.equal(ran, 1, "the versions before the unit are not known to the second one");
  assert.deepEqual(units.map(shown), [
    { commands: ["FLUSHDB", "SET d:a 2"], if: ["0 d:a old"], programs: 1 },
  ]);
  const { refused } = run([program(["FLUSHALL", "SET d:a 2"])]);
  assert.deepEqual(
    refused.map(({ answer }) => answer.kind),
    ["error"],
  );
});

test("a key of a database that does not exist is no condition", () => {
  const { run } = scene();
  const { units } = run([program(["COPY d:a d:b DB 9999999999", "MOVE d:a 77", "SET d:c 1"])]);
  assert.deepEqual(units.map(shown), [
    { commands: ["SET d:c 1"], if: ["0 d:a absent", "0 d:b absent", "0 d:c absent"], programs: 1 },
  ]);
});

test("a program that is found to touch decided keys is not interrupted, and leaves nothing", () => {
  const { database, state, date } = scene();
  const made = program(["SET plain 1", "GET d:a", "SET plain 2"]);
  let isComplete = false;
  const run: GatewayProgram["run"] = (runStep) => {
    const reply = made.run(runStep);
    isComplete = true;
    return reply;
  };

  const watcher = withoutDecidedKeys(PATTERNS);
  const tried = tryUnits([{ ...made, run }, program(["SET plain 3"])], {
    ...{ state, date, db: 0, refusal: null, isOver: () => false, watcher },
  });

  assert.deepEqual(
    tried.map(({ kind }) => kind),
    ["decided", "writes"],
  );
  assert.ok(isComplete);
  assert.equal(database.writerOf(0, "plain", NOW + 1), "");
});

/** Turns with a clock that the test sets, and timers that end when the test says so. */
function turnsScene() {
  const state = { uptime: 0, expire: () => {} };
  const turns = new ProgramTurns({
    uptime: () => state.uptime,
    setTimer(_, step) {
      state.expire = step;
      return () => {};
    },
  });
  const decided = (daemon: string, key: string, outcome: "applied" | "unmet") =>
    turns.decided(
      double<Envelope>({
        key: daemon,
        if: [{ db: 0, key, writer: "" }],
        decided: { slot: 1, outcomes: [outcome], signed: { at: 1, seq: 0 } },
      }),
    );
  const conditionsOf = (...keys: string[]) => keys.map((key) => ({ db: 0, key, writer: "" }));
  const isTurn = (...keys: string[]) => turns.isTurnOf(OWN, conditionsOf(...keys));
  return { state, turns, decided, isTurn, conditionsOf };
}

test("daemons whose programs touch the same key take turns, in the order of their ids", () => {
  const { decided, isTurn } = turnsScene();
  assert.ok(isTurn("k"), "nobody contends");
  decided("a", "k", "applied");
  assert.ok(isTurn("k"), "the next one after a");
  decided("c", "k", "unmet");
  assert.ok(isTurn("k"), "a unit without effect is no turn");
  decided(OWN, "k", "applied");
  assert.ok(!isTurn("k"), "it is the turn of c");
  assert.ok(isTurn("other"), "other keys do not wait");
  decided("c", "k", "applied");
  assert.ok(!isTurn("k"), "it is the turn of a");
  decided("a", "k", "applied");
  assert.ok(isTurn("k"));
  assert.ok(isTurn("other", "k"));
});

test("scripts on long keys have no turns, so that they fill no memory with keys that do not exist", () => {
  const { decided, isTurn } = turnsScene();
  for (const [length, isOwn] of [
    [1022, false],
    [1023, true],
  ] as const) {
    const key = "k".repeat(length);
    decided("c", key, "unmet");
    decided(OWN, key, "applied");
    assert.equal(isTurn(key), isOwn, `${length} bytes`);
  }
});

test("a daemon whose programs no longer touch a key has no turns", () => {
  const { state, decided, isTurn } = turnsScene();
  decided("c", "k", "unmet");
  decided(OWN, "k", "applied");
  assert.ok(!isTurn("k"));
  state.uptime = 10_000;
  assert.ok(isTurn("k"));
});

test("a turn is awaited until a decision, and not longer than the patience", async () => {
  const { state, turns, decided, conditionsOf } = turnsScene();
  decided("c", "k", "unmet");
  decided(OWN, "k", "applied");
  let isOver = false;
  const wait = turns.turnOf(OWN, conditionsOf("k")).then(() => {
    isOver = true;
  });
  await nextTurn();
  assert.ok(!isOver);
  decided("c", "k", "applied");
  await wait;

  decided("c", "k", "unmet");
  decided(OWN, "k", "applied");
  const second = turns.turnOf(OWN, conditionsOf("k"));
  state.uptime = 150;
  state.expire();
  await second;
});
