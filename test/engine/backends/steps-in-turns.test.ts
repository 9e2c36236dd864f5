/** Long queries sent without the --sql listener: in turns where they are sent by themselves, bounded where they are one step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedPath } from "../../../cluster/replica/recorded-path.js";
import { TimelineBackend } from "../../../cluster/replica/timeline-backend.js";
import { Trial } from "../../../cluster/replica/trial.js";
import { LocalUnits } from "../../../engine/backends/local-units.js";
import { MemoryBackend } from "../../../engine/backends/memory.js";
import { Newest } from "../../../engine/backends/newest.js";
import type { CommandSender } from "../../../engine/users/command-path.js";
import { LocalPath } from "../../../engine/users/local-path.js";
import { type Environment, realEnvironment } from "../../../net/process/environment.js";
import type { Reply } from "../../../protocol/reply.js";
import { TURN_MS } from "../../../protocol/steps.js";
import { findCommand } from "../../../store/command-table.js";
import type { Database } from "../../../store/database.js";
import { UNIT_STEPS_DEFAULT } from "../../../store/keyspace/effort.js";
import type { Unit } from "../../../store/keyspace/unit.js";
import type { Command } from "../../../store/rows/command.js";
import { START, TimelineSubject } from "../../timeline/support/timeline-subject.js";

const ROWS = 5000;
const LONG = ["SQL", "d", "select a from t where a >= 0"];
/** Joins 25 million pairs, and finds none. */
const ENDLESS = ["SQL", "d", "select x.a from t x join t y on x.a + y.a < 0"];
const SQL_RO = findCommand("SQL_RO") as Command;
const SENDER: CommandSender = { db: 0, now: START, as: null, isStable: false, readsAll: true };
const unit: Unit = { at: START, db: 0, id: "u".repeat(36), seq: 1 };

/** A clock by which each step of a long reply is a turn. */
function slowEnvironment(): Environment {
  let now = 0;
  return {
    ...realEnvironment,
    clock: () => START + 10_000,
    uptime: () => {
      now += TURN_MS;
      return now;
    },
  };
}

const insert = (from: number, to: number) => [
  "SQL",
  "d",
  `insert into t values ${Array.from({ length: to - from }, (_, i) => `(${from + i})`).join(",")}`,
];

function fill(database: Database): void {
  const statements = [
    ["SQL", "", "create database d"],
    ["SQL", "d", "create table t (a number)"],
    insert(0, ROWS),
  ];
  for (const argv of statements) assert.notEqual(database.execute(argv, unit).kind, "error");
}

function inMemory() {
  const environment = slowEnvironment();
  const backend = new MemoryBackend(environment);
  fill(backend.database);
  backend.database.unitStepsMax = UNIT_STEPS_DEFAULT;
  const path = new LocalPath(backend, new LocalUnits(environment, new Newest()));
  return { backend, path, database: backend.database };
}

async function inTimeline() {
  const environment = slowEnvironment();
  const { timeline } = await new TimelineSubject({ now: START + 10_000 }).open();
  const backend = new TimelineBackend(timeline, environment);
  fill(backend.database);
  const units = new LocalUnits(environment, new Newest());
  const path = new RecordedPath({ backend, gateway: null as never, units, others: () => 1 });
  return { backend, path, database: backend.database };
}

const SCENES = { "in memory": async () => inMemory(), "with a timeline": inTimeline };

function rowsOf(reply: Reply): number {
  assert.ok(reply.kind === "map", JSON.stringify(reply).slice(0, 200));
  const rows = reply.items.at(-1);
  assert.ok(rows?.kind === "array");
  return rows.items.length;
}

function isRefused(reply: Reply | Promise<Reply> | undefined): void {
  assert.ok(reply !== undefined && !(reply instanceof Promise) && reply.kind === "error", "it is answered");
  assert.match(reply.text, /^TOOMUCH .*outside of MULTI and scripts, or to the --sql listener/);
}

const first = (reply: Reply | Promise<Reply>) => {
  assert.ok(!(reply instanceof Promise) && reply.kind === "array");
  return reply.items[0];
};

for (const [where, open] of Object.entries(SCENES)) {
  test(`${where} a signed query yields, and reads the rows that there were when it began`, async () => {
    const { backend, database } = await open();
    const reply = backend.execute(LONG, unit);
    assert.ok(reply instanceof Promise, "it was answered in one turn");
    assert.notEqual(database.execute(insert(ROWS, ROWS + 10), unit).kind, "error");
    assert.equal(rowsOf(await reply), ROWS);
    const failing = backend.execute(["SQL", "d", `${LONG[2]} and none = 1`], unit);
    assert.equal((await failing).kind, "error");
  });

  test(`${where} a query in MULTI is bounded by --max-unit-steps, and so are several together`, async () => {
    const { backend, path } = await open();
    isRefused(first(backend.executeTogether([ENDLESS], unit)));
    const call = (argv: readonly string[]) => ({ command: SQL_RO, argv });
    isRefused(first(path.executeTogether([call(ENDLESS)], [], SENDER)));
    const many = path.executeTogether(Array(100).fill(call(LONG)), [], SENDER);
    assert.ok(!(many instanceof Promise) && many.kind === "array");
    assert.notEqual(many.items[0]?.kind, "error");
    isRefused(many.items[99]);
    // Others' queries are not bounded by what one unit used.
    assert.equal(rowsOf(await backend.execute(LONG, unit)), ROWS);
  });
}

test("a query of a script is bounded by --max-unit-steps", async () => {
  const { path } = inMemory();
  isRefused(path.executeInSteps((run) => run(SQL_RO, ENDLESS, 0), [], SENDER));
  const { database } = await inTimeline();
  const trial = new Trial(database, {
    date: { at: START, seq: 0 },
    id: "i".repeat(36),
    sender: SENDER,
    stepsMax: UNIT_STEPS_DEFAULT,
  });
  isRefused(trial.run((run) => run(SQL_RO, ENDLESS, 0)));
});
