/**
 * A thread that reads a snapshot, while the code of MongoDB's collections cannot be loaded and no other code is loaded
 * yet.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { INSTALLED_FAMILIES } from "../../../../daemon/installed-families.js";
import { missingCode, provideFamilies } from "../../../../daemon/store/family-code.js";
import { KeyRing } from "../../../../daemon/store/key-ring.js";
import { readSnapshot } from "../../../../daemon/timeline/snapshots/snapshot.js";
import { bytesOf } from "../../../../protocol/byte-string.js";

provideFamilies({
  ...INSTALLED_FAMILIES,
  "mongo/collections": () => Promise.reject(new Error("absent")),
});
const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());
const beginning = {
  genesis: () => new KeyRing({ hash: (bytes) => hash(Buffer.from(bytes, "latin1")) }),
  databases: 16,
  hash,
};
const work = readSnapshot([Buffer.from(workerData as Uint8Array)], beginning, undefined, true);
let step = work.next();
while (step.done !== true) {
  await setImmediate();
  step = work.next();
}
const { database, isComplete } = step.value;
const sizes = database.keyspaces.map(({ size }) => size);
parentPort?.postMessage({
  isComplete,
  keys: sizes.reduce((sum, size) => sum + size, 0),
  reason: missingCode(),
});
