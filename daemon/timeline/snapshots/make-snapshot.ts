/** Makes a snapshot from the stored entries: in one step in a worker, or in turns of the event loop. */
import { finish, inTurns, type Steps, type TurnClock } from "../../../protocol/steps.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import { DigestIndex } from "../compare/digest-index.js";
import type { Entry, OrderKey } from "../entries/entry.js";
import type { EntrySource } from "../entries/storage.js";
import type { Fold } from "../fold/fold.js";
import { Refold } from "./refold.js";
import type { Beginning } from "./ring-entries.js";
import { writeSnapshot } from "./snapshot.js";
import type { Snapshots } from "./snapshot-stores.js";

/** The error if no snapshot can be made because one of its entries cannot be read. */
export class DamagedEntry extends Error {
  /** The entry's order key. Other threads pass it on, but not the class of the error. */
  readonly damaged: OrderKey;

  constructor(orderKey: OrderKey) {
    super(`the entry ${hexOf(orderKey.id)} of ${dateText(orderKey.at)} is damaged`);
    this.damaged = orderKey;
  }
}

export interface MakeSnapshotParts extends Beginning {
  readonly storage: EntrySource;
  /** Contains the snapshot to begin with, and receives the new snapshot. */
  readonly snapshots: Snapshots;
  /** The snapshot that the fold begins with, or null if it begins empty. */
  readonly from: number | null;
  /** The snapshot contains everything dated up to this date, and nothing else. */
  readonly to: number;
}

/** Makes a snapshot in one step. @throws DamagedEntry  an unreadable entry must not be treated as a missing one */
export function makeSnapshot(parts: MakeSnapshotParts): void {
  const begun = begin(parts);
  parts.snapshots.write(parts.to, chunksOf(parts, finish(begun.refold.steps), begun));
}

/** Makes a snapshot in turns of the event loop. The entries up to its date must not change in the meantime. */
export async function makeSnapshotInTurns(parts: MakeSnapshotParts, clock: TurnClock): Promise<void> {
  parts.snapshots.write(parts.to, await inTurns(snapshotSteps(parts), clock));
}

function* snapshotSteps(parts: MakeSnapshotParts): Steps<Buffer[]> {
  const begun = begin(parts);
  const fold = yield* begun.refold.steps;
  const written: Buffer[] = [];
  for (const chunk of chunksOf(parts, fold, begun)) {
    written.push(chunk);
    yield;
  }
  return written;
}

/** A snapshot that is being made, with the data about its entries. */
interface Begun {
  readonly refold: Refold;
  readonly index: DigestIndex;
  readonly ringEntries: Entry[];
}

function begin({ to, ...parts }: MakeSnapshotParts): Begun {
  const index = new DigestIndex();
  const ringEntries: Entry[] = [];
  const refold = new Refold({
    ...parts,
    index,
    tailEnd: to,
    until: to,
    tailBytes: Number.POSITIVE_INFINITY,
    skips: () => false,
    found: () => {},
    foundRing: (entry) => void ringEntries.push(entry),
    damaged: (orderKey) => {
      throw new DamagedEntry(orderKey);
    },
  });
  return { refold, index, ringEntries };
}

function chunksOf(
  { to, hash }: MakeSnapshotParts,
  { database, unknownFrom }: Fold,
  { index, ringEntries }: Begun,
): Iterable<Buffer> {
  if (unknownFrom !== null && unknownFrom.at <= to)
    throw new Error("this release does not know the semantics version at that date");
  return writeSnapshot({ database, ringEntries, cutAt: to, sums: index.serialise(to) }, hash);
}
