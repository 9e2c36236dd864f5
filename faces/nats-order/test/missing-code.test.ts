/**
 * Tests that a member of a stream stops before a message that needs a command family which its build does not contain,
 * and that it continues like a complete member of the stream once it has the code.
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
import { type MemberReport, memberWith, reportOf } from "./member-without-code.js";
import type { MemberTask } from "./thread-without-code.js";

const NOW = Date.UTC(2026, 0);
const DATABASES = 16;
const applicationKey = makeKeyPair();
const rootKey = makeKeyPair();
const unknownKey = makeKeyPair();
const ARGS = ["-s", applicationKey.file, "--root-key", rootKey.file, "--order", "nats://127.0.0.1:1/writes"];
const signers = loadSigners(
  { signKey: [applicationKey.file], rootKey: [rootKey.file], clusterName: "dbsync" },
  pino({ level: "silent" }),
);
const { cluster, makeRing } = signers;

const GEOADD = ["GEOADD", "places", "13.361389", "38.115556", "Palermo"];
const MISSING_CODE_ERROR = /^this build does not contain the code of .*\(redis\/geo\)$/;
const INSTALLED = Object.values<FaceFamilies>(faces);

function message(argv: readonly string[], at = NOW, by = applicationKey): { at: number; data: Buffer } {
  const { body, signature } = signCommands(by, [argv], { cluster, at });
  return { at: NOW, data: writeValue(body, signature) };
}

/** The messages of the stream. No member applies the second and the third one. */
const MESSAGES = [
  message(["SET", "before", "1"]),
  // Skipped: the signer is unknown.
  message(GEOADD, NOW, unknownKey),
  // Refused: the message is older than the order window.
  message(GEOADD, NOW - ORDER_WINDOW.past),
  message(GEOADD),
  message(["SET", "after", "1"]),
];
/** The number of messages before the one that needs the code. */
const MESSAGES_BEFORE_GEOADD = 3;

/** What a member reports that stopped for missing code. */
const STOPPED = { state: "outdated", refusal: "semantics-unknown", readStatus: "catching-up" };

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
  const { "redis/geo": _, ...families } = Object.assign({}, ...INSTALLED.map(({ families }) => families));
  const { replica, connectError } = memberWith(families, ARGS, MESSAGES.length);
  assert.equal(connectError, null);

  // It stops before the message, and reports why.
  for (const [index, { at, data }] of MESSAGES.entries())
    if (replica.failure === null) replica.message({ seq: index + 1, at, data });
  const { reason, ...report } = reportOf(replica);
  assert.match(reason, MISSING_CODE_ERROR);
  assert.deepEqual(report, { seq: MESSAGES_BEFORE_GEOADD, ...STOPPED });

  // With the code, it continues from its snapshot, and reaches the state of a complete member.
  installFamilies(INSTALLED);
  const complete = applyAll(emptyStreamState(makeRing(), DATABASES), MESSAGES);
  assert.deepEqual(complete.replies, ["status", "skipped", "refused", "integer", "status"]);
  const parts = { genesis: makeRing, databases: DATABASES, cluster };
  const restored = readOrderSnapshot([snapshotOf(replica.state)], parts).state;
  const continued = applyAll(restored, MESSAGES.slice(MESSAGES_BEFORE_GEOADD));
  assert.deepEqual(continued.replies, ["integer", "status"]);
  assert.ok(continued.snapshot.equals(complete.snapshot));
});

test("a state applies no messages if its snapshot needs code that is missing", () => {
  const missingCode = "this build does not contain the code of a value";
  const state = new OrderedState(
    { ...emptyStreamState(makeRing(), DATABASES), missingCode },
    entryCheck(signers, null),
  );
  assert.equal(state.standstill, missingCode);
});

/** Starts a member without the code of a family in a thread, and connects it to a stream. */
async function reportWithoutFamily(task: Omit<MemberTask, "args">, args = ARGS): Promise<MemberReport> {
  const workerData: MemberTask = { args, ...task };
  const worker = new Worker(new URL("./thread-without-code.js", import.meta.url), { workerData });
  const [report] = await once(worker, "message");
  await worker.terminate();
  return report as MemberReport;
}

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
  const { connectError, reason, ...report } = await reportWithoutFamily(task, [
    ...ARGS,
    "--data",
    folder.path,
  ]);
  assert.match(connectError ?? "", /\(redis\/streams\)$/);
  assert.equal(reason, connectError);
  assert.deepEqual(report, { seq: 0, ...STOPPED });
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
