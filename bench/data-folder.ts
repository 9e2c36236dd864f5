/**
 * Writes data folders with a timeline, without a daemon. Envelopes are signed in parallel, because signing a million of
 * them one by one would take too long.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { pino } from "pino";
import { hashOf } from "../daemon/engine/trust/identity.js";
import { loadSigners } from "../daemon/engine/trust/load-signers.js";
import { DiskStorage } from "../daemon/timeline/disk/disk-storage.js";
import { writeOrderKey } from "../daemon/timeline/entries/entry.js";
import { writeValue } from "../daemon/timeline/entries/stored-value.js";
import { signEnvelopeAsync } from "../keys/signatures.js";
import { type ByteString, bytesOf } from "../protocol/byte-string.js";
import { writeCommand } from "../protocol/resp/resp-writer.js";
import { NONCE_BYTES, SEQ_MAX, signedBytes } from "../protocol/version-2/envelope.js";
import { writeBody } from "../protocol/version-2/envelope-body.js";
import type { Trio } from "../test/support/trio.js";

/** The entries of a folder. */
export interface DataPlan {
  readonly envelopes: number;
  /** The number of commands per envelope. */
  readonly size: number;
  /** The date of the first entry in milliseconds since 1970. */
  readonly from: number;
  /** The milliseconds between two entries. */
  readonly every: number;
  /** Returns the command with the given number. Commands are numbered across all envelopes. */
  readonly command: (number: number) => readonly string[];
}

/** The number of concurrent signatures. */
const CONCURRENCY = 64;
/** The number of entries after which the disk is flushed. */
const BATCH = 10_000;

/** Writes the folder of a daemon with entries in the form in which the trio's client would have sent them. */
export async function writeFolder(trio: Trio, index: number, plan: DataPlan): Promise<void> {
  const keys = { signKey: [trio.app.file], rootKey: [trio.root.file], clusterName: "dbsync" };
  const { cluster } = loadSigners(keys, pino({ level: "silent" }));
  const folder = trio.folder(index);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const storage = new DiskStorage(folder, "never", console);
  for (let first = 0; first < plan.envelopes; first += CONCURRENCY) {
    const count = Math.min(CONCURRENCY, plan.envelopes - first);
    storage.put(
      await Promise.all(Array.from({ length: count }, (_, i) => signed(trio, cluster, plan, first + i))),
    );
    if (first % BATCH < CONCURRENCY) await storage.flushed();
  }
  await storage.close();
}

/** Returns the key and the value of the entry with a number. */
async function signed(
  { app }: Trio,
  cluster: ByteString,
  { size, from, every, command }: DataPlan,
  number: number,
): Promise<[key: Buffer, value: Buffer]> {
  const at = Math.floor(from + number * every);
  const seq = number % (SEQ_MAX + 1);
  const commands = Array.from({ length: size }, (_, i) => writeCommand(command(number * size + i)));
  const header = { key: app.id, cluster, at, seq, nonce: bytesOf(randomBytes(NONCE_BYTES)) };
  const body = Buffer.from(writeBody(header, commands), "latin1");
  const bytes = signedBytes(body);
  const signature = await signEnvelopeAsync(bytes, app.privateKey);
  return [writeOrderKey({ id: hashOf(bytes), at, seq }), writeValue(body, signature)];
}
