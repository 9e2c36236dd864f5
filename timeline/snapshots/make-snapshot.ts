/** Makes a snapshot from the entries that are kept: all at once in a worker, or in slices beside everything else. */
import { dateText, hexOf } from "../../protocol/version-2/envelope.js";
import { DigestIndex } from "../compare/digest-index.js";
import type { Entry, Place } from "../entries/entry.js";
import { Refold, type RefoldParts } from "./refold.js";
import { writeSnapshot } from "./snapshot.js";
import type { Snapshots } from "./snapshot-files.js";

/** Milliseconds of one slice; others are served between two. */
const SLICE_MS = 5;

/** No snapshot can be made: an entry that it is to be made of cannot be read. */
export class DamagedEntry extends Error {
  /** Where it is; it comes from another thread as it is. */
  readonly damaged: Place;

  constructor(place: Place) {
    super(`the entry ${hexOf(place.id)} of ${dateText(place.at)} is damaged`);
    this.damaged = place;
  }
}

export interface MakeSnapshotParts
  extends Pick<RefoldParts, "storage" | "hash" | "genesis" | "databases" | "from"> {
  readonly snapshots: Snapshots;
  /** Everything dated up to it, and nothing else. */
  readonly to: number;
}

/** @throws DamagedEntry  what is missing must not be taken for what never was */
export function makeSnapshot(parts: MakeSnapshotParts): void {
  const begun = begin(parts);
  parts.snapshots.write(parts.to, chunksOf(parts, begun.refold.finish(), begun));
}

/** The same in slices. The entries up to its date must not change meanwhile. */
export function makeSnapshotInSlices(
  parts: MakeSnapshotParts,
  { soon, uptime }: { soon: (step: () => void) => void; uptime: () => number },
): Promise<void> {
  const begun = begin(parts);
  const written: Buffer[] = [];
  let chunks: Iterator<Buffer> | null = null;
  return new Promise((resolve, reject) => {
    const step = (): void => {
      try {
        if (chunks === null) {
          const fold = begun.refold.step(SLICE_MS, uptime);
          if (fold !== null) chunks = chunksOf(parts, fold, begun)[Symbol.iterator]();
        } else if (takeSome(chunks, written, uptime)) {
          parts.snapshots.write(parts.to, written);
          resolve();
          return;
        }
      } catch (problem) {
        reject(problem);
        return;
      }
      soon(step);
    };
    step();
  });
}

/** A snapshot that is being made, and what its entries are. */
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
    horizon: to,
    until: to,
    tailBytes: Number.POSITIVE_INFINITY,
    skips: () => false,
    found: () => {},
    foundRing: (entry) => void ringEntries.push(entry),
    damaged: (place) => {
      throw new DamagedEntry(place);
    },
  });
  return { refold, index, ringEntries };
}

function chunksOf(
  { to, hash }: MakeSnapshotParts,
  { database, end }: ReturnType<Refold["finish"]>,
  { index, ringEntries }: Begun,
): Iterable<Buffer> {
  if (end !== null && end.at <= to) throw new Error("this release does not know what commands mean by then");
  return writeSnapshot({ database, ringEntries, cutAt: to, index }, hash);
}

/** @returns whether that was all */
function takeSome(chunks: Iterator<Buffer>, written: Buffer[], uptime: () => number): boolean {
  const end = uptime() + SLICE_MS;
  do {
    const { done, value } = chunks.next();
    if (done === true) return true;
    written.push(value);
  } while (uptime() < end);
  return false;
}
