/** A thread that reads a snapshot in a build without MongoDB's collections. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import * as faces from "../../../../daemon/faces.js";
import { type FaceFamilies, installFamilies } from "../../../../daemon/store/family-code.js";
import { KeyRing } from "../../../../daemon/store/key-ring.js";
import { readSnapshot } from "../../../../daemon/timeline/snapshots/snapshot.js";
import { bytesOf } from "../../../../protocol/byte-string.js";
import { finish } from "../../../../protocol/steps.js";

installFamilies(
  Object.values<FaceFamilies>(faces).map(({ families = {} }) => {
    const { "mongo/collections": _, ...others } = families;
    return { families: others };
  }),
);
const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());
const beginning = {
  genesis: () => new KeyRing({ hash: (bytes) => hash(Buffer.from(bytes, "latin1")) }),
  databases: 16,
  hash,
};
const chunks = [Buffer.from(workerData as Uint8Array)];
const { database, missingCode } = finish(readSnapshot(chunks, beginning, undefined, true));
const keys = database.keyspaces.reduce((sum, { size }) => sum + size, 0);
parentPort?.postMessage({ keys, missingCode });
