/**
 * The entries from which the key ring follows, as part of a snapshot. The entries are signed, and complete except for
 * the votes of decisions, so that the reader folds the ring itself and need not trust the sender. They are stored
 * permanently. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import type { Steps } from "../../../protocol/steps.js";
import { isDecision, readEntryBody } from "../../../protocol/version-2/decision-body.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";
import { compareEntries, type Entry } from "../entries/entry.js";
import { applyToRing } from "../fold/apply-unit.js";
import { unitsOf } from "../fold/fold-unit.js";
import {
  DamagedSnapshot,
  type SnapshotHash,
  type SnapshotReader,
  type SnapshotWriter,
} from "./snapshot-stream.js";

/**
 * Returns why an entry is refused (the ring does not know its signer's key, or it is not for this cluster), or null if
 * it is valid.
 */
export type RefuseRingEntry = (entry: Entry, ring: KeyRing) => string | null;

/** Options that every fold begins with. */
export interface Beginning {
  /** A ring with the keys that the daemon is started with. */
  readonly genesis: () => KeyRing;
  readonly databases: number;
  /** SHA-256. */
  readonly hash: SnapshotHash;
}

/** The ring as of a date, and the entries that made it. */
export interface FoldedRing {
  readonly ring: KeyRing;
  /** The entries in order. */
  readonly entries: readonly Entry[];
}

/** Whether an entry concerns the ring: the keys that it names are known from then on, even if it is denied. */
export const concernsRing = ({ envelope }: Entry): boolean => envelope.commands.some(isKeyCommand);

/**
 * Writes the entries that make the key ring. Decisions are written without their votes: each member may have those of
 * another majority, but all members must make the same snapshot.
 * @param entries  in order
 */
export function* writeRingEntries(writer: SnapshotWriter, entries: readonly Entry[]): Generator<Buffer> {
  writer.number(entries.length);
  for (const { body, signature } of entries) {
    writer.bytes(body.toString("latin1"));
    writer.bytes(isDecision(body) ? "" : signature.toString("latin1"));
    if (writer.isFull) yield writer.takeFrame();
  }
}

/**
 * Folds the ring from the entries of a snapshot.
 * @param cutAt    the snapshot's date
 * @param refuses  called for each entry of a snapshot that another daemon has sent; omitted for this daemon's own
 * snapshots
 * @throws DamagedSnapshot  an entry is malformed, out of order, dated later, or refused
 */
export function* readRingEntries(
  reader: SnapshotReader,
  cutAt: number,
  { genesis, databases, hash }: Beginning,
  refuses?: RefuseRingEntry,
): Steps<FoldedRing> {
  const ring = genesis();
  const entries: Entry[] = [];
  for (let left = reader.number(); left > 0; left--) {
    const entry = entryOf(reader.bytes(), reader.bytes(), hash);

    const last = entries.at(-1);
    if (entry.envelope.at > cutAt || (last !== undefined && compareEntries(last, entry) >= 0))
      throw new DamagedSnapshot("an entry of the key ring is out of order");

    const refusal = refuses?.(entry, ring) ?? null;
    if (refusal !== null) throw new DamagedSnapshot(`an entry of the key ring is refused: ${refusal}`);

    for (const unit of unitsOf(entry, databases)) if (unit.kind === "ring") applyToRing(unit, ring);
    entries.push(entry);
    yield;
  }
  return { ring, entries };
}

function entryOf(bodyBytes: ByteString, signatureBytes: ByteString, hash: SnapshotHash): Entry {
  const [body, signature] = [Buffer.from(bodyBytes, "latin1"), Buffer.from(signatureBytes, "latin1")];
  try {
    return { id: hash(signedBytes(body)), body, signature, envelope: readEntryBody(body) };
  } catch (problem) {
    if (!(problem instanceof MalformedFrame)) throw problem;
    throw new DamagedSnapshot(`an entry of the key ring is malformed: ${problem.message}`);
  }
}
