/**
 * Writes data folders with a timeline, without a daemon. Envelopes are signed in parallel, because signing a million of
 * them one by one would take too long.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { pino } from "pino";
import { hashOf } from "../daemon/engine/trust/identity.js";
import { loadSigners } from "../daemon/engine/trust/load-signers.js";
import type { Signers } from "../daemon/engine/trust/signers.js";
import { DiskStorage } from "../daemon/timeline/disk/disk-storage.js";
import { type Entry, writeOrderKey } from "../daemon/timeline/entries/entry.js";
import { writeValue } from "../daemon/timeline/entries/stored-value.js";
import { signEnvelopeAsync } from "../keys/sign.js";
import { type ByteString, bytesOf } from "../protocol/byte-string.js";
import { writeCommand } from "../protocol/resp/resp-writer.js";
import { NONCE_BYTES, SEQ_MAX, signedBytes } from "../protocol/version-2/envelope.js";
import { writeBody } from "../protocol/version-2/envelope-body.js";
import type { Workspace } from "./timeline-daemons.js";

export interface DataPlan {
  readonly envelopes: number;
  readonly size: number;
  /** The date of the first entry in milliseconds since 1970. */
  readonly from: number;
  /** The milliseconds between two entries. */
  readonly every: number;
  /** Returns the command with the given number. Commands are numbered across all envelopes. */
  readonly command: (number: number) => readonly string[];
}

export type SignedEntry = Pick<Entry, "id" | "body" | "signature"> & {
  readonly at: number;
  readonly seq: number;
};

/** The number of concurrent signatures. */
const CONCURRENCY = 64;
const BATCH = 10_000;

function signersOf({ publicFolder, rootFolder }: Workspace): Signers {
  const keys = { signKey: [publicFolder], rootKey: [rootFolder], clusterName: "dbsync" };
  return loadSigners(keys, pino({ level: "silent" }));
}

/** Yields entries in the form in which a client would have sent them. */
export async function* signedEntries(workspace: Workspace, plan: DataPlan): AsyncGenerator<SignedEntry> {
  const { ring, cluster } = signersOf(workspace);
  const key = [...ring.all()].find(({ role }) => role === "application")?.id as ByteString;
  for (let i = 0; i < plan.envelopes; i += CONCURRENCY) {
    const count = Math.min(CONCURRENCY, plan.envelopes - i);
    yield* await Promise.all(
      Array.from({ length: count }, (_, j) => signed(workspace, plan, i + j, { key, cluster })),
    );
  }
}

async function signed(
  workspace: Workspace,
  { size, from, every, command }: DataPlan,
  number: number,
  header: { key: ByteString; cluster: ByteString },
): Promise<SignedEntry> {
  const at = Math.floor(from + number * every);
  const seq = number % (SEQ_MAX + 1);
  const commands = Array.from({ length: size }, (_, i) => writeCommand(command(number * size + i)));
  const nonce = bytesOf(randomBytes(NONCE_BYTES));
  const body = Buffer.from(writeBody({ ...header, at, seq, nonce }, commands), "latin1");
  const bytes = signedBytes(body);
  const signature = await signEnvelopeAsync(bytes, workspace.key.privateKey);
  return { id: hashOf(bytes), body, signature, at, seq };
}

/** Writes entries into a data folder. */
export async function writeFolder(folder: string, entries: AsyncIterable<SignedEntry>): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const storage = new DiskStorage(folder, "never", console);
  let number = 0;
  for await (const entry of entries) {
    storage.put([[writeOrderKey(entry), writeValue(entry.body, entry.signature)]]);
    if (++number % BATCH === 0) await storage.flushed();
  }
  await storage.close();
}
