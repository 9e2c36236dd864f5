/**
 * Tests what a daemon answers, reports and claims while its timeline is at a standstill, because its release does not
 * know the semantics.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { completeSums } from "../../../../daemon/cluster/history/fold-mirror.js";
import type { Gateway } from "../../../../daemon/cluster/replica/gateway.js";
import { RecordedPath } from "../../../../daemon/cluster/replica/recorded-command-path.js";
import { TimelineBackend } from "../../../../daemon/cluster/replica/timeline-backend.js";
import { type CommandSender, newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import { LocalUnits, NewestDate } from "../../../../daemon/engine/backends/local-units.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../../daemon/store/command-table.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import { double } from "../../../support/double.js";
import { EARLIER_SEMANTICS, NEXT_SEMANTICS } from "../../../support/next-semantics.js";
import { tryProgram } from "../../../support/try-program.js";
import { ROOT } from "../../timeline/support/fold-subject.js";
import { KEY_IDS } from "../../timeline/support/random-timeline.js";
import { entryAt, MEMBER, START, TimelineSubject } from "../../timeline/support/timeline-subject.js";

const SENDER: CommandSender = {
  db: 0,
  now: START,
  as: null,
  isStable: false,
  lastWrite: newLastWrite(),
  readsAll: true,
};
const UNMET = [{ db: 0, key: "k", writer: "w".repeat(32) }];
const GET = findCommand("GET") as Command;
const INCR = findCommand("INCR") as Command;

async function sceneOf() {
  const subject = await new TimelineSubject({ now: START + 10_000, known: EARLIER_SEMANTICS }).open();
  const { timeline } = subject;
  timeline.receive([entryAt(START, "SET k 1")], MEMBER);
  await subject.settle();

  const environment = { ...realEnvironment, clock: () => START + 20_000 };
  const backend = new TimelineBackend(timeline, environment);
  const gateway = double<Gateway>({
    sendProgram: (program) => {
      const unit = { at: START + 20_000, db: 0, id: "i".repeat(36) };
      program.hasRead(program.run((command, argv) => timeline.database.run(command, argv, unit)));
    },
  });

  const units = new LocalUnits(environment, new NewestDate());
  const path = new RecordedPath(backend, gateway, units, () => 1);
  const stop = async () => {
    timeline.receive([entryAt(START + 1000, "CLUSTER SEMANTICS 2", KEY_IDS[ROOT])], MEMBER);
    timeline.receive([entryAt(START + 2000, "SET k 2")], MEMBER);
    await subject.settle();
    assert.notEqual(timeline.standstill, null);
  };
  return { timeline, backend, path, stop };
}

const isRefused = (reply: Reply | Promise<Reply>) => {
  assert.ok(!(reply instanceof Promise) && reply.kind === "error", "the command was answered");
  assert.match(reply.text, /^ERR semantics-unknown: semantics version 2 applies from /);
};

test("reading commands are refused, even in scripts and with conditions", async () => {
  const { path, backend, stop } = await sceneOf();
  const script = () => path.executeInSteps((run) => run(GET, ["GET", "k"], 0), [], SENDER);
  const together = () => path.executeTogether([{ command: GET, argv: ["GET", "k"] }], UNMET, SENDER);
  assert.deepEqual(await script(), { kind: "bulk", bytes: "1" });
  assert.deepEqual(together(), NIL_ARRAY);
  await stop();
  isRefused(await script());
  isRefused(path.execute(GET, ["GET", "k"], SENDER));
  const both = together();
  assert.ok(!(both instanceof Promise) && both.kind === "array" && both.items[0] !== undefined);
  isRefused(both.items[0]);
  const unit = { at: START, db: 0, id: "u" };
  assert.equal(backend.holds(UNMET, unit), true, "nothing is revealed about the keys");
  isRefused(backend.executeTogether([["GET", "k"]], unit));
});

test("clients' copies of keys are invalidated, once", async () => {
  const { backend, stop } = await sceneOf();
  let invalidations = 0;
  backend.changes.observeKeys({ keyChanged() {}, allChanged: () => void invalidations++ });
  backend.tick();
  assert.equal(invalidations, 0);
  await stop();
  backend.tick();
  backend.tick();
  assert.equal(invalidations, 1);
});

test("a mirror is not reported as complete: another release derives more from the same entries", async () => {
  const { timeline, stop } = await sceneOf();
  assert.match(completeSums(timeline), /^0:.*\/1:/);
  await stop();
  assert.equal(timeline.index.total("data").count, 2);
  assert.equal(completeSums(timeline), "");
});

test("a trial run uses the command table of the database, not the newest one of the release", async () => {
  const { timeline } = await sceneOf();
  const { database } = timeline;
  const incremented = () => {
    let reply: Reply = NIL_ARRAY;
    const program: Parameters<typeof tryProgram>[1] = (run) => {
      reply = run(INCR, ["INCR", "n"], 0);
      return reply;
    };
    assert.equal(tryProgram(database, program, { at: START + 20_000 })?.kind, "writes");
    return reply;
  };
  assert.deepEqual(incremented(), { kind: "integer", value: 1 });
  database.table = NEXT_SEMANTICS.newest;
  assert.deepEqual(incremented(), { kind: "integer", value: 10 });
});
