/**
 * The entries of this daemon that are lost when a member's snapshot replaces them: found before anything is changed,
 * so that they can be stored as dead letters. Source: docs/consistency.md, "When things go wrong".
 */
import { inTurns, type Steps } from "../protocol/steps.js";
import type { KeyRing } from "../store/key-ring.js";
import type { Archive } from "./archive.js";
import type { DigestIndex } from "./compare/digest-index.js";
import { orphansOf } from "./compare/orphans.js";
import type { KeptLetters, LetterReason, LetterWriter } from "./dead-letters.js";
import { type Entry, readPlace, writePlace } from "./entries/entry.js";
import type { Mark, Storage } from "./entries/storage.js";
import { readEntry } from "./entries/stored-value.js";
import type { TimelineParts } from "./timeline-owner.js";
import { findUnverifiable } from "./unverifiable.js";

/** Entries that are reported one by one, at most. */
const REPORTED_MAX = 200;
/** Maximum entries to search for and store: about 50 MB of places. */
const LETTERS_MAX = 250_000;
/** Letters that are written between two turns. */
const LETTERS_A_STEP = 64;

/** Entries of this daemon that are lost once it has taken a snapshot over. */
export interface LostEntries {
  /** Their number, including those that were removed here as well and so cannot be named. */
  readonly count: number;
  /** The first of them, as far as they can be read. */
  readonly entries: readonly Entry[];
}

/** Entries that the snapshot does not contain, though its date is later. */
export interface FoundOrphans extends LostEntries {
  /** It may be made of them, or not; some that are certain may be among them. */
  readonly possible: LostEntries;
  /** Later entries, signed with keys that the snapshot does not know: orphaned entries had added these. */
  readonly unverifiable: LostEntries;
  /** The dead letters that are made of all these; null: there is no disk to store them on. */
  readonly letters: KeptLetters | null;
}

/** A snapshot that has been read to its end. */
export interface ReceivedSnapshot {
  readonly index: DigestIndex;
  readonly ring: KeyRing;
}

export interface Losing {
  readonly orphans: FoundOrphans;
  /** Places of later entries that cannot stay either. */
  readonly dropped: readonly Buffer[];
  /** The letters on the disk, undecided; null: there is no disk to store them on. */
  readonly letters: LetterWriter | null;
  /** Marks to be written in the step that removes the entries. */
  readonly marks: readonly Mark[];
}

/**
 * Finds and stores what is lost. Nothing may be written to the storage meanwhile.
 * @throws Error  the letters cannot be stored; none of them remains, and no entry may be dropped
 */
export async function findLosing(
  parts: TimelineParts,
  archive: Archive,
  received: ReceivedSnapshot,
  cutAt: number,
): Promise<Losing> {
  const { openLetters } = parts;
  const max = openLetters === null ? REPORTED_MAX : LETTERS_MAX;
  const { unknown, damaged } = await inTurns(findUnverifiable(parts, received.ring, cutAt), parts);
  const found = orphansOf(archive.index, received.index, { cutAt, prunedTo: archive.prunedTo, max });
  const { count, places, possible } = await inTurns(found, parts);
  const missing = places.map(writePlace);
  const doubtful = possible.places.map(writePlace);
  const read = (some: readonly Buffer[]) => readFirst(some, parts);
  // Those that are certain first: the room may end.
  const groups = [
    { reason: "missing", some: missing },
    { reason: "unknown-key", some: unknown },
    { reason: "possible", some: doubtful },
  ] as const;
  const letters = openLetters === null ? null : openLetters(cutAt);
  const mark = letters === null ? null : await keepAll(parts, letters, groups);
  const orphans: FoundOrphans = {
    count,
    entries: read(missing),
    possible: { count: possible.count, entries: read(doubtful) },
    unverifiable: { count: unknown.length, entries: read(unknown) },
    letters: letters?.figures ?? null,
  };
  return { orphans, dropped: [...unknown, ...damaged], letters, marks: mark === null ? [] : [mark] };
}

interface LetterGroup {
  readonly reason: LetterReason;
  readonly some: readonly Buffer[];
}

async function keepAll(
  parts: TimelineParts,
  letters: LetterWriter,
  groups: readonly LetterGroup[],
): Promise<Mark | null> {
  try {
    await inTurns(keepSteps(parts.storage, letters, groups), parts);
    return await letters.commit();
  } catch (problem) {
    letters.discard();
    throw problem;
  }
}

function* keepSteps(storage: Storage, letters: LetterWriter, groups: readonly LetterGroup[]): Steps<void> {
  let number = 0;
  for (const { reason, some } of groups)
    for (const place of some) {
      const value = storage.get(place);
      if (value !== null) letters.keep(place, value, reason);
      if (++number % LETTERS_A_STEP === 0) yield;
    }
}

/** The first of some entries, as far as they can be read. */
function readFirst(places: readonly Buffer[], { storage, hash }: TimelineParts): Entry[] {
  return places.slice(0, REPORTED_MAX).flatMap((place) => {
    const value = storage.get(place);
    return (value === null ? null : readEntry(readPlace(place), value, hash)) ?? [];
  });
}
