/**
 * Finds this daemon's entries that are lost when a member's snapshot replaces its data. The search runs before the data
 * is changed, so that the lost entries can be stored as dead letters. Source: docs/consistency.md, "When things go
 * wrong".
 *
 * A snapshot lists its ring entries and the ids of its newest entries; for older entries it has only sums. If the sums
 * of a range differ and the snapshot counts N entries fewer, then at least N entries of the range are certainly missing
 * from the snapshot; the remaining entries of the range may be missing.
 */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { inTurns, type Steps } from "../../protocol/steps.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { isKeyCommand, type KeyRing } from "../store/key-ring.js";
import { type DigestIndex, LEVEL_SECONDS, shortIdOf } from "./compare/digest-index.js";
import { OrderKeyWalk, ownRows } from "./compare/index-walk.js";
import type { SumRow } from "./compare/reconcile-message.js";
import {
  commitDeadLetters,
  type DeadLetterFigures,
  type DeadLetterReason,
  type DeadLetterToStore,
  type DeadLetterWriter,
} from "./dead-letters.js";
import {
  dateOf,
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  readOrderKey,
  writeOrderKey,
} from "./entries/entry.js";
import type { Mark } from "./entries/storage.js";
import { readEntry, viewEntry } from "./entries/stored-value.js";
import type { EntryStore } from "./entry-store.js";
import { unitsOf } from "./fold/fold-unit.js";
import type { TimelineParts } from "./timeline-environment.js";

/** The maximum number of entries that are reported individually. */
const REPORTED_MAX = 200;
/** The maximum number of entries to search for and store: about 50 MB of order keys. */
const DEAD_LETTERS_MAX = 250_000;

/** Entries of this daemon that are lost once it has adopted a snapshot. */
export interface LostEntries {
  /** The number of these entries, including entries that this daemon has pruned and therefore cannot name. */
  readonly count: number;
  /** The first of these entries, as far as they can be read. */
  readonly entries: readonly Entry[];
}

/** Entries that the snapshot does not contain, although they are dated before it. */
export interface FoundOrphans extends LostEntries {
  /** Entries that the snapshot may or may not contain. Some entries that are certainly missing may be among them. */
  readonly possible: LostEntries;
  /** Later entries signed with keys that the snapshot does not know: orphaned entries had added these keys. */
  readonly unverifiable: LostEntries;
  /** The dead letters that were written for all these entries, or null if there is no disk to store them on. */
  readonly deadLetters: DeadLetterFigures | null;
}

/** A snapshot that has been read to its end. */
export interface ReceivedSnapshot {
  readonly index: DigestIndex;
  readonly ring: KeyRing;
}

/** The entries that adopting a snapshot drops, and the dead letters that were stored for them. */
export interface EntriesToDrop {
  readonly orphans: FoundOrphans;
  /** The order keys of entries dated after the snapshot that have to be dropped too. */
  readonly dropped: readonly Buffer[];
  /** The dead letters on the disk, undecided, or null if there is no disk to store them on. */
  readonly deadLetters: DeadLetterWriter | null;
  /** The marks to write in the step that removes the entries. */
  readonly marks: readonly Mark[];
}

/**
 * Finds and stores the lost entries. Nothing may be written to the storage in the meantime.
 * @throws Error  the dead letters cannot be stored; then no dead letter remains on disk, and no entry may be dropped
 */
export async function findEntriesToDrop(
  parts: TimelineParts,
  entryStore: EntryStore,
  received: ReceivedSnapshot,
  cutAt: number,
): Promise<EntriesToDrop> {
  const { openDeadLetters } = parts;
  const max = openDeadLetters === null ? REPORTED_MAX : DEAD_LETTERS_MAX;
  const { unknown, damaged } = await inTurns(findUnverifiable(parts, received.ring, cutAt), parts);

  const found = entriesMissingInSnapshot(entryStore.index, received.index, {
    cutAt,
    prunedTo: entryStore.prunedTo,
    max,
  });
  const { count, orderKeys, possible } = await inTurns(found, parts);

  const missing = orderKeys.map(writeOrderKey);
  const doubtful = possible.orderKeys.map(writeOrderKey);
  const read = (group: readonly Buffer[]) => readFirst(group, parts);

  // Store the certainly lost entries first, because the space may not suffice for all entries.
  const letters = function* (): Generator<DeadLetterToStore> {
    yield* lettersOf("missing", missing);
    yield* lettersOf("unknown-key", unknown);
    yield* lettersOf("possible", doubtful);
  };

  const deadLetters = openDeadLetters === null ? null : openDeadLetters(cutAt);
  const { mark } =
    deadLetters === null
      ? { mark: null }
      : await commitDeadLetters(parts.storage, deadLetters, letters(), parts);

  const orphans: FoundOrphans = {
    count,
    entries: read(missing),
    possible: { count: possible.count, entries: read(doubtful) },
    unverifiable: { count: unknown.length, entries: read(unknown) },
    deadLetters: deadLetters?.figures ?? null,
  };
  return { orphans, dropped: [...unknown, ...damaged], deadLetters, marks: mark === null ? [] : [mark] };
}

function* lettersOf(reason: DeadLetterReason, orderKeys: readonly Buffer[]): Generator<DeadLetterToStore> {
  for (const orderKey of orderKeys) yield { orderKey, reason, units: null };
}

/** Returns the first of the given entries, as far as they can be read. */
function readFirst(orderKeys: readonly Buffer[], { storage, hash }: TimelineParts): Entry[] {
  return orderKeys.slice(0, REPORTED_MAX).flatMap((orderKey) => {
    const value = storage.get(orderKey);
    return (value === null ? null : readEntry(readOrderKey(orderKey), value, hash)) ?? [];
  });
}

/** The number of entries to check between two turns of the event loop, which takes a few milliseconds. */
const ENTRIES_PER_STEP = 64;

/** The order keys of the found entries, in order. */
interface Unverifiable {
  readonly unknown: readonly Buffer[];
  /** Damaged entries, whose signers cannot be determined; members that have them send them again. */
  readonly damaged: readonly Buffer[];
}

/** The parts of an entry that show its signer and the keys that it names. */
interface Signed extends Pick<Envelope, "key" | "at" | "commands"> {
  readonly orderKey: Buffer;
  /** Whether a client has signed it: no client has signed a decision that only closes earlier member lists. */
  readonly isSigned: boolean;
  /** The units that may name keys; if there are none, `commands` is empty too. */
  readonly naming: readonly (readonly (readonly ByteString[])[])[];
}

/**
 * Finds the entries that no daemon could verify any longer: a member's snapshot replaces the entries that named their
 * signers' keys, and does not contain these keys. Nothing may be written to the storage in the meantime.
 * @param ring   the snapshot's key ring; the keys that the remaining entries name are added to it
 * @param after  only entries dated after this are checked; milliseconds since 1970
 */
function* findUnverifiable(
  { storage, hash, databases }: TimelineParts,
  ring: KeyRing,
  after: number,
): Steps<Unverifiable> {
  const damaged: Buffer[] = [];
  let unknown: Signed[] = [];
  const isKnown = (signed: Signed): boolean => {
    if (signed.isSigned && ring.spkiOf(signed) === undefined) return false;
    for (const unit of signed.naming) ring.named.addOf(unit);
    return true;
  };

  let next: Buffer | null = firstOrderKeyBytes(after + 1);
  while (next !== null) {
    const from: Buffer = next;
    next = null;
    let count = 0;
    for (const [bytes, value] of storage.entries(from, null)) {
      const orderKey = Buffer.from(bytes);
      if (count++ === ENTRIES_PER_STEP) {
        next = orderKey;
        break;
      }

      const entry = viewEntry(readOrderKey(orderKey), value, hash);
      if (entry === null) damaged.push(orderKey);
      else {
        const signed = signedOf(orderKey, entry, databases);
        if (!isKnown(signed)) unknown.push(signed);
      }
    }
    yield;
  }

  // The entry that names a key may come after an entry signed with that key, or may itself be signed with such a key.
  for (let before = -1; before !== unknown.length; yield) {
    before = unknown.length;
    unknown = unknown.filter((signed) => !isKnown(signed));
  }
  return { unknown: unknown.map(({ orderKey }) => orderKey), damaged };
}

/**
 * Returns what must be known of an entry to verify its signer. Like members that check entries, it uses only the bytes
 * of the entry, not its sender or its time of arrival.
 */
function signedOf(orderKey: Buffer, entry: Entry, databases: number): Signed {
  const { key, at, commands, decided } = entry.envelope;
  const isSigned = decided?.signed !== null;
  if (!commands.some(isKeyCommand)) return { orderKey, isSigned, key, at, naming: [], commands: [] };
  const naming = unitsOf(entry, databases).flatMap((unit) => (unit.kind === "ring" ? [unit.commands] : []));
  return { orderKey, isSigned, key, at, naming, commands };
}

/** The seconds `from` ≤ second < `to`, and the sums of both sides for these seconds. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly own: Sum;
  readonly snapshot: Sum;
}

/** The number of ids in a range, and the sum of their lower 64 bits. */
interface Sum {
  readonly count: number;
  readonly low: bigint;
}

interface FoundEntries {
  /** The number of entries, including entries that this daemon has removed. */
  readonly count: number;
  /** The order keys of the first of these entries whose order keys are known, in order. */
  readonly orderKeys: readonly OrderKey[];
}

interface EntriesMissingInSnapshot extends FoundEntries {
  /**
   * Entries that the snapshot may or may not contain. `orderKeys` also includes certainly missing entries that cannot
   * be distinguished from the rest of their range.
   */
  readonly possible: FoundEntries;
}

/**
 * Finds the entries that the snapshot does not contain.
 * @param own       the index of this daemon
 * @param snapshot  the index of the snapshot; has no storage
 * @param cutAt     only entries dated up to this date are compared; milliseconds since 1970
 * @param prunedTo  this daemon has removed entries dated up to this date, so perhaps only the snapshot has them
 * @param max      the maximum number of order keys to return
 */
export function* entriesMissingInSnapshot(
  own: DigestIndex,
  snapshot: DigestIndex,
  { cutAt, prunedTo, max }: { readonly cutAt: number; readonly prunedTo: number; readonly max: number },
): Steps<EntriesMissingInSnapshot> {
  const certain: OrderKey[] = [];
  const possible: OrderKey[] = [];
  let [count, possibleCount] = [0, prunedBetween(own, cutAt, prunedTo)];
  const known = new Set([...snapshot.orderKeys("ring", null, null)].map((orderKey) => bytesOf(orderKey)));
  for (const orderKey of own.orderKeys("ring", null, firstOrderKeyBytes(cutAt + 1)))
    if (!known.has(bytesOf(orderKey))) {
      count++;
      if (certain.length < max) certain.push(readOrderKey(orderKey));
    }

  const add = (found: OrderKey[], orderKeys: readonly OrderKey[]) => {
    for (const orderKey of orderKeys) if (found.length < max) found.push(orderKey);
  };

  const ids = yield* ListedIds.of(snapshot);
  const walk = new OrderKeyWalk(own, "data");
  for (const range of yield* differing(own, snapshot, cutAt)) {
    const { missing, older, newer, isDecided } = yield* compare(walk, ids, range, { cutAt, max });
    count += missing;
    add(isDecided ? certain : possible, older.missing);
    add(certain, newer.missing);
    if (!isDecided) possibleCount += older.count - (missing - newer.missingCount);
  }

  return { count, orderKeys: certain, possible: { count: possibleCount, orderKeys: possible } };
}

/** The entries of a range that may be missing from the snapshot. */
interface Compared {
  /** The number of entries that are certainly missing. */
  readonly missing: number;
  /** Entries older than the listed ids: their number, and the order keys of those that are or may be missing. */
  readonly older: { readonly count: number; readonly missing: readonly OrderKey[] };
  /** Entries that the snapshot would list, and does not. */
  readonly newer: { readonly missingCount: number; readonly missing: readonly OrderKey[] };
  /** Whether all `older.missing` are certainly missing. */
  readonly isDecided: boolean;
}

/** Compares a range in which the sums differ. */
function* compare(
  walk: OrderKeyWalk,
  ids: ListedIds,
  range: Range,
  { cutAt, max }: { readonly cutAt: number; readonly max: number },
): Steps<Compared> {
  const { own, snapshot } = range;
  const older: OrderKey[] = [];
  const newer: OrderKey[] = [];
  let [listed, notListed] = [0, 0];
  let single: OrderKey | null = null;

  yield* walk.visit(range, (orderKey) => {
    const at = dateOf(orderKey);
    if (at > cutAt) return;
    if (at >= ids.from * 1000) {
      listed++;
      if (ids.has(orderKey)) return;
      notListed++;
      if (newer.length < max) newer.push(readOrderKey(orderKey));
      return;
    }
    if (older.length < max) older.push(readOrderKey(orderKey));
    if (BigInt.asUintN(64, own.low - shortIdOf(orderKey)) === snapshot.low) single = readOrderKey(orderKey);
  });

  const excess = own.count - snapshot.count;
  // The sums differ. Therefore at least one entry is missing from the snapshot, even if the counts are equal.
  const missing = Math.max(notListed, excess, excess === 0 ? 1 : 0);
  const rest = { missing, newer: { missingCount: notListed, missing: newer } };
  const count = Math.max(own.count - listed, 0);

  if (excess === 1 && notListed === 0 && single !== null)
    return { ...rest, older: { count, missing: [single] }, isDecided: true };
  return { ...rest, older: { count, missing: older }, isDecided: missing - notListed >= count };
}

/** The ids of the snapshot's newest entries, which it lists. */
class ListedIds {
  /** The first second of which the snapshot lists all entries. */
  readonly from: number;
  readonly #ids: ReadonlySet<bigint>;

  private constructor(from: number, ids: ReadonlySet<bigint>) {
    this.from = from;
    this.#ids = ids;
  }

  static *of({ newestIds }: DigestIndex): Steps<ListedIds> {
    return newestIds === null
      ? new ListedIds(Number.POSITIVE_INFINITY, new Set())
      : new ListedIds(newestIds.from, yield* newestIds.ids());
  }

  has(orderKey: Buffer): boolean {
    return this.#ids.has(shortIdOf(orderKey));
  }
}
/** Returns about how many entries are dated after `cutAt`, up to `prunedTo`. */
function prunedBetween(own: DigestIndex, cutAt: number, prunedTo: number): number {
  if (prunedTo <= cutAt) return 0;
  const countUpTo = (at: number) => {
    const end = (Math.floor(at / 1000) + 1) * 1000;
    return own.digestUpTo(end, "ring").count + own.digestUpTo(end, "data").count;
  };
  return countUpTo(prunedTo) - countUpTo(cutAt);
}

/**
 * Returns the ranges in which the sums of data differ, in order. The last second, of which the snapshot contains only a
 * part, is a separate range.
 */
function* differing(own: DigestIndex, snapshot: DigestIndex, cutAt: number): Steps<Range[]> {
  const end = Math.floor((cutAt + 1) / 1000);
  const found: Range[] = [];
  let from = 0;

  for (let level = LEVEL_SECONDS.length - 1; level >= 0; level--) {
    const finer = level === 0 ? end : Math.min(end, snapshot.completeFrom("data", level - 1));
    // The coarser sums are compared only up to the second from which the finer sums are complete.
    if (finer <= from) continue;

    const seconds = LEVEL_SECONDS[level] as number;
    const [ownRanges, snapshotRanges] = [
      yield* ownRows(own, "data", level, from, finer),
      yield* ownRows(snapshot, "data", level, from, finer),
    ];
    const byStart = new Map(snapshotRanges.map((row) => [row.start, row]));
    for (const row of ownRanges) {
      const [ownSum, snapshotSum] = [sumOf(row), sumOf(byStart.get(row.start))];
      if (!isSame(ownSum, snapshotSum))
        found.push({ from: row.start, to: row.start + seconds, own: ownSum, snapshot: snapshotSum });
    }
    from = finer;
  }

  const last = yield* lastOf(own, snapshot, cutAt);
  if (last.own.count > 0 && !isSame(last.own, last.snapshot)) found.push(last);
  return found;
}

/** Returns the part of the last second that the snapshot contains. */
function* lastOf(own: DigestIndex, snapshot: DigestIndex, cutAt: number): Steps<Range> {
  const second = Math.floor((cutAt + 1) / 1000);
  const [row] = yield* ownRows(snapshot, "data", 0, second, second + 1);
  const end = firstOrderKeyBytes(cutAt + 1);

  let count = 0;
  let low = 0n;
  yield* new OrderKeyWalk(own, "data").visit({ from: second, to: second + 1 }, (orderKey) => {
    if (orderKey.compare(end) >= 0) return;
    count++;
    low += shortIdOf(orderKey);
  });

  const ownSum = { count, low: BigInt.asUintN(64, low) };
  return { from: second, to: second + 1, own: ownSum, snapshot: sumOf(row) };
}

function sumOf(row: SumRow | undefined): Sum {
  return { count: row?.count ?? 0, low: BigInt(row?.high ?? 0) * 2n ** 32n + BigInt(row?.low ?? 0) };
}

const isSame = (sum: Sum, other: Sum): boolean => sum.count === other.count && sum.low === other.low;
