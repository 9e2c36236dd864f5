/**
 * Finds this daemon's entries that are lost when a member's snapshot replaces its data. The search runs before the data
 * is changed, so that the lost entries can be stored as dead letters. Source: docs/consistency.md, "When things go
 * wrong".
 */

import type { ByteString } from "../../protocol/byte-string.js";
import { inTurns, type Steps } from "../../protocol/steps.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { isKeyCommand, type KeyRing } from "../store/key-ring.js";
import type { DigestIndex } from "./compare/digest-index.js";
import { entriesMissingInSnapshot } from "./compare/entries-missing-in-snapshot.js";
import type { DeadLetterFigures, DeadLetterReason, DeadLetterWriter } from "./dead-letters.js";
import { type Entry, firstOrderKeyBytes, readOrderKey, writeOrderKey } from "./entries/entry.js";
import type { Mark, Storage } from "./entries/storage.js";
import { readEntry, viewEntry } from "./entries/stored-value.js";
import type { EntryStore } from "./entry-store.js";
import { unitsOf } from "./fold/fold-unit.js";
import type { TimelineParts } from "./timeline-environment.js";

/** The maximum number of entries that are reported individually. */
const REPORTED_MAX = 200;
/** The maximum number of entries to search for and store: about 50 MB of order keys. */
const DEAD_LETTERS_MAX = 250_000;
/** Dead letters that are written between two turns. */
const DEAD_LETTERS_PER_STEP = 64;

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
  const groups = [
    { reason: "missing", group: missing },
    { reason: "unknown-key", group: unknown },
    { reason: "possible", group: doubtful },
  ] as const;
  const deadLetters = openDeadLetters === null ? null : openDeadLetters(cutAt);
  const mark = deadLetters === null ? null : await storeAll(parts, deadLetters, groups);
  const orphans: FoundOrphans = {
    count,
    entries: read(missing),
    possible: { count: possible.count, entries: read(doubtful) },
    unverifiable: { count: unknown.length, entries: read(unknown) },
    deadLetters: deadLetters?.figures ?? null,
  };
  return { orphans, dropped: [...unknown, ...damaged], deadLetters, marks: mark === null ? [] : [mark] };
}

interface DeadLetterGroup {
  readonly reason: DeadLetterReason;
  readonly group: readonly Buffer[];
}

async function storeAll(
  parts: TimelineParts,
  deadLetters: DeadLetterWriter,
  groups: readonly DeadLetterGroup[],
): Promise<Mark | null> {
  try {
    await inTurns(storeSteps(parts.storage, deadLetters, groups), parts);
    return await deadLetters.commit();
  } catch (problem) {
    deadLetters.discard();
    throw problem;
  }
}

function* storeSteps(
  storage: Storage,
  deadLetters: DeadLetterWriter,
  groups: readonly DeadLetterGroup[],
): Steps<void> {
  let number = 0;
  for (const { reason, group } of groups)
    for (const orderKey of group) {
      const value = storage.get(orderKey);
      if (value !== null) deadLetters.store(orderKey, value, reason);
      if (++number % DEAD_LETTERS_PER_STEP === 0) yield;
    }
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
 * Finds the entries that no daemon could verify. Nothing may be written to the storage in the meantime.
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
 * Finds entries that no other daemon could verify any longer: a member's snapshot replaces the entries that named their
 * signers' keys, and does not contain these keys. Like members that check entries, the search uses only
 * the bytes of entries, not their senders or their times of arrival.
 */
function signedOf(orderKey: Buffer, entry: Entry, databases: number): Signed {
  const { key, at, commands, decided } = entry.envelope;
  const isSigned = decided?.signed !== null;
  if (!commands.some(isKeyCommand)) return { orderKey, isSigned, key, at, naming: [], commands: [] };
  const naming = unitsOf(entry, databases).flatMap((unit) => (unit.kind === "ring" ? [unit.commands] : []));
  return { orderKey, isSigned, key, at, naming, commands };
}
