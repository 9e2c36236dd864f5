/**
 * Tests that a member of a stream stops before a message whose code is missing, and that it continues like a complete
 * member of the stream once it has the code.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { pino } from "pino";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { orderFolder } from "../../../daemon/engine/trust/data-folder.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import * as faces from "../../../daemon/faces.js";
import { ORDER_WINDOW } from "../../../daemon/options/timeline-values.js";
import { type FaceFamilies, installFamilies } from "../../../daemon/store/family-code.js";
import { writeFolderFormat } from "../../../daemon/timeline/disk/timeline-folder.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { makeKeyPair, signCommands } from "../../../test/support/envelope-client.js";
import { buildRoot } from "../../../test/support/repository.js";
import { readOrderSnapshot, writeOrderSnapshot } from "../order-snapshot.js";
import type { OrderTask } from "../order-task.js";
import { emptyStreamState, OrderedState, type StreamState } from "../ordered-state.js";
import { type LackingReport, memberWith, reportOf } from "./member-without-code.js";
import type { LackingTask } from "./thread-without-code.js";

const NOW = Date.UTC(2026, 0);
const DATABASES = 16;
const [pair, root, unknownKey] = [makeKeyPair(), makeKeyPair(), makeKeyPair()];
const ARGS = ["-s", pair.file, "--root-key", root.file, "--order", "nats://127.0.0.1:1/writes"];
const signers = loadSigners(
  { signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" },
  pino({ level: "silent" }),
);
const { cluster, makeRing } = signers;

const GEOADD = ["GEOADD", "places", "13.361389", "38.115556", "Palermo"];
const NAMED = /^this build does not contain the code of .*\(redis\/geo\)$/;
const INSTALLED = Object.values<FaceFamilies>(faces);

function message(argv: readonly string[], at = NOW, by = pair): { at: number; data: Buffer } {
  const { body, signature } = signCommands(by, [argv], { cluster, at });
  return { at: NOW, data: writeValue(body, signature) };
}

/** The messages of the stream. No member applies the second and the third one. */
const MESSAGES = [
  message(["SET", "before", "1"]),
  message(GEOADD, NOW, unknownKey),
  message(GEOADD, NOW - ORDER_WINDOW.past),
  message(GEOADD),
  message(["SET", "after", "1"]),
];
/** The number of messages before the one that needs the code. */
const BEFORE = 3;

const snapshotOf = (state: OrderedState): Buffer =>
  Buffer.concat([...writeOrderSnapshot(state.current, { created: "today", cluster })]);

/** Applies messages to a state on a member with all code. */
function applyAll(initial: StreamState, messages: typeof MESSAGES) {
  const state = new OrderedState(initial, entryCheck(signers, null));
  signers.follow(state);
  const replies = messages.map(({ at, data }) => {
    const ordered = state.apply({ seq: state.seq + 1, at, data });
    return ordered.kind === "applied" ? ordered.answers[0]?.reply.kind : ordered.kind;
  });
  return { replies, snapshot: snapshotOf(state) };
}

test("a member without the code stops before the message, and continues like a complete member once it has it", async () => {
  const { "redis/geo": _, ...others } = Object.assign({}, ...INSTALLED.map(({ families }) => families));
  const { replica, connected } = memberWith(others, ARGS, MESSAGES.length);
  assert.equal(connected, null);
  for (const [index, { at, data }] of MESSAGES.entries())
    if (replica.failure === null) replica.message({ seq: index + 1, at, data });
  const { reason, ...report } = reportOf(replica);
  assert.match(reason, NAMED);
  const expected = {
    seq: BEFORE,
    state: "outdated",
    refusal: "semantics-unknown",
    readStatus: "catching-up",
  };
  assert.deepEqual(report, expected);

  installFamilies(INSTALLED);
  const complete = applyAll(emptyStreamState(makeRing(), DATABASES), MESSAGES);
  assert.deepEqual(complete.replies, ["status", "skipped", "refused", "integer", "status"]);
  const parts = { genesis: makeRing, databases: DATABASES, cluster };
  const restored = readOrderSnapshot([snapshotOf(replica.state)], parts).state;
  const continued = applyAll(restored, MESSAGES.slice(BEFORE));
  assert.deepEqual(continued.replies, ["integer", "status"]);
  assert.ok(continued.snapshot.equals(complete.snapshot));
});

test("a state whose snapshot could not be read without the code is at a standstill", () => {
  const missingCode = "this build does not contain the code of a value";
  const state = new OrderedState(
    { ...emptyStreamState(makeRing(), DATABASES), missingCode },
    entryCheck(signers, null),
  );
  assert.equal(state.standstill, missingCode);
});

/** Starts a member without the code of a family in a thread, and connects it to a stream. */
async function lacking(task: Omit<LackingTask, "args">, args = ARGS): Promise<LackingReport> {
  const workerData: LackingTask = { args, ...task };
  const worker = new Worker(new URL("./thread-without-code.js", import.meta.url), { workerData });
  const [report] = await once(worker, "message");
  await worker.terminate();
  return report as LackingReport;
}

const NOTHING_READ = { seq: 0, state: "outdated", refusal: "semantics-unknown", readStatus: "catching-up" };

/** Writes a snapshot with a stream to a data folder. */
function writeStreamSnapshot(data: string): SnapshotFiles {
  const add = message(["XADD", "stream", "1-1", "field", "value"]);
  const { snapshot } = applyAll(emptyStreamState(makeRing(), DATABASES), [add]);
  const files = new SnapshotFiles(orderFolder(data));
  files.write(1, [snapshot]);
  return files;
}

test("a member without the code of a value in its snapshot reads nothing", async () => {
  using folder = makeFolder();
  writeStreamSnapshot(folder.path);
  writeFolderFormat(orderFolder(folder.path));
  const task = { removed: "redis/streams" };
  const { connected, reason, ...report } = await lacking(task, [...ARGS, "--data", folder.path]);
  assert.match(connected ?? "", /\(redis\/streams\)$/);
  assert.equal(reason, connected);
  assert.deepEqual(report, NOTHING_READ);
});

test("the thread that makes snapshots ends with the reason if its build does not contain the code of a value", async () => {
  using folder = makeFolder();
  const files = writeStreamSnapshot(folder.path);
  const task: Omit<OrderTask, "order"> & { readonly order: object } = {
    folder: orderFolder(folder.path),
    order: {},
    credentials: null,
    created: "today",
    to: 2,
    databases: DATABASES,
    genesis: signers.genesis,
    messageTimeoutMs: 1000,
    keys: [...makeRing().all()].map(({ role, spki, label }) => ({ role, spki, label })),
  };

  const worker = new Worker(new URL("../../../daemon/program/thread.js", import.meta.url), {
    workerData: { name: "order-snapshot", task },
    execArgv: ["--import", pathToFileURL(join(buildRoot, "test/support/without-family.js")).href],
    env: { ...process.env, DBSYNC_WITHOUT_FAMILY: "redis/streams" },
  });

  const [problem] = await once(worker, "error");
  assert.match((problem as Error).message, /\(redis\/streams\)$/);
  assert.deepEqual(files.list(), [1]);
});
