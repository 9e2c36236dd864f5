/**
 * Lists, selects, finds and removes dead letters in a daemon's data folder, and marks those that `dbsync` writes again.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type DeadLetter,
  DeadLetterFolder,
  DeadLettersNotWritten,
  deadLettersFolder,
  deadUnitsOf,
  type UnreadDeadLetters,
} from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import {
  DeadLetterStore,
  DeadLettersNotStored,
} from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { admittedIn } from "../../../daemon/cluster/history/catching-up-mark.js";
import { noTimeline, ownerOf } from "../../../daemon/engine/trust/data-folder.js";
import { recordedCluster } from "../../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import { StartError } from "../../../daemon/net/process/service.js";
import type { DeadLetterReason, DeadLetterWriter } from "../../../daemon/timeline/dead-letters.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { type Entry, readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { isRingEntry } from "../../../daemon/timeline/entries/recorded-envelopes.js";
import { viewEntry } from "../../../daemon/timeline/entries/stored-value.js";
import type { EntryOutcome } from "../../../daemon/timeline/members/rules.js";
import { writingFailure } from "../../../keys/atomic-file.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type Condition,
  commandsIn,
  dateText,
  ENTRY_ORDER_KEY_BYTES,
  hexOf,
} from "../../../protocol/version-2/envelope.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { firstLines } from "../shared/output.js";
import { folderPath, withFolderErrors } from "./data-folder.js";

export type { EntryOutcome };

/** The maximum numbers of arguments of a command, and of bytes of an argument, that a list shows. */
const MAX_BRIEF_ARGUMENTS = 3;
const MAX_BRIEF_BYTES = 32;

/** A dead letter in the form that users see. */
export interface ListedDeadLetter extends Pick<DeadLetter, "state" | "reason" | "since" | "file"> {
  /** The envelope's id, hexadecimal. */
  readonly id: string;
  /** The envelope's date, in milliseconds since 1970. */
  readonly at: number;
  /** The size on disk. */
  readonly bytes: number;
  /** The dead letter's content, or null if its bytes are damaged. */
  readonly envelope: DeadLetterEnvelope | null;
}

export interface DeadLetterEnvelope {
  /** Id of the signer's key, hexadecimal. */
  readonly signer: string;
  readonly as: Buffer | null;
  readonly db: number;
  readonly multi: boolean;
  /** Whether the members of a list have to decide on its units, each by itself. */
  readonly decide: boolean;
  /** The number of commands of each unit, if there are several units of which some have several commands; else null. */
  readonly units: readonly number[] | null;
  /**
   * `unit` is the index of the command that is a unit with this condition, or null if there is only one unit; `writer`
   * is hexadecimal, or null if the key had to be absent.
   */
  readonly conditions: readonly {
    readonly unit: number | null;
    readonly db: number;
    readonly key: Buffer;
    readonly writer: string | null;
  }[];
  /** Number of commands. */
  readonly count: number;
  /** The commands of the units that are dead letters; in a list only the beginning of the first command. */
  readonly commands: readonly (readonly Buffer[])[];
  /** What commands took at the daemon that answered them, as it has recorded it; empty if it has recorded nothing. */
  readonly choices: readonly {
    /** The index of the command. */
    readonly index: number;
    readonly took: readonly Buffer[];
  }[];
}

export interface DeadLetterList {
  readonly deadLetters: readonly ListedDeadLetter[];
  readonly unread: readonly UnreadDeadLetters[];
}

/** The outcome of sending a dead letter again; `unknown`: no daemon has confirmed or refused it. */
export type DeadLetterOutcome = "written" | "unwritten" | "unknown";

/** Lists the dead letters of a folder. @throws Failure */
export function listDeadLetters(flags: FolderFlags): Promise<DeadLetterList> {
  return withFolderErrors(async () => {
    const folder = new DeadLetterFolder(await daemonFolder(flags));
    const { deadLetters, unread } = folder.list();
    return {
      deadLetters: deadLetters.map((deadLetter) =>
        listedDeadLetter(deadLetter, folder.entry(deadLetter), true),
      ),
      unread,
    };
  });
}

/**
 * Returns dead letters with all their commands.
 * @param ids  hexadecimal, or their first digits
 * @throws Failure, NotSelected
 */
export function showDeadLetters(ids: readonly string[], flags: FolderFlags): Promise<ListedDeadLetter[]> {
  return withFolderErrors(async () => {
    const folder = new DeadLetterFolder(await daemonFolder(flags));
    const deadLetters = selected(folder.list().deadLetters, ids);
    return deadLetters.map((deadLetter) => listedDeadLetter(deadLetter, folder.entry(deadLetter), false));
  });
}

/** Removes dead letters. @returns the removed dead letters @throws Failure, NotSelected, DeadLettersNotWritten */
export function removeDeadLetters(ids: readonly string[], flags: FolderFlags): Promise<ListedDeadLetter[]> {
  return withFolderErrors(async () => {
    const folder = new DeadLetterFolder(await daemonFolder(flags));
    const deadLetters = selected(folder.list().deadLetters, ids);
    checkRemovable(deadLetters);
    const shown = deadLetters.map((deadLetter) =>
      listedDeadLetter(deadLetter, folder.entry(deadLetter), false),
    );
    folder.remove(deadLetters);
    return shown;
  });
}

/**
 * Finds the entries of an evicted daemon that no member has, and stores them as dead letters.
 * @param query  sends TIMELINE OUTCOME to the members, with the daemon's id and then positions, all hexadecimal
 * @throws Failure, and the errors of `query`; in both cases no dead letter is stored
 */
export function findDeadLetters(
  flags: FolderFlags,
  query: (words: readonly string[]) => Promise<readonly EntryOutcome[]>,
): Promise<FoundOutcomes> {
  return withFolderErrors(async () => {
    const data = await daemonFolder(flags);
    const owner = ownerOf(data);
    if (owner === null || !existsSync(join(data, "timeline")))
      throw new StartError(
        `--data ${data}: this folder contains no daemon key or no timeline. Specify the daemon's complete data folder.`,
        1,
      );
    const id = hexOf(owner.id);
    return await findIn(data, (positions) => query([id, ...positions]));
  });
}

export interface DeadLettersToWrite {
  /**
   * The ids of the selected dead letters, or null to select all dead letters that are certain to be missing from the
   * state.
   */
  readonly ids: readonly string[] | null;
  /** Whether to include dead letters that were already written again, or that may be in the state. */
  readonly isAnyway: boolean;
}

/** The dead letters of a folder that are not written again yet. */
export interface WaitingDeadLetters {
  readonly count: number;
  /** The number of these that may be in the state. */
  readonly possible: number;
  /** The number of these that each member has, because they write decided keys without a decision. */
  readonly void: number;
}

/**
 * Writes dead letters one after the other: marks each as begun, calls `write`, and marks it with the returned outcome.
 * If `write` throws, the dead letter remains marked as begun.
 * @param write  receives the dead letter, or null if its bytes are damaged, and its short id
 * @returns the dead letters of the folder that still wait afterwards
 * @throws Failure, NotSelected, DeadLetterTaken
 */
export function writeDeadLettersAgain(
  { ids, isAnyway }: DeadLettersToWrite,
  flags: FolderFlags,
  write: (deadLetter: ListedDeadLetter | null, id: string) => Promise<DeadLetterOutcome>,
): Promise<WaitingDeadLetters> {
  return withFolderErrors(async () => {
    const folder = new DeadLetterFolder(await daemonFolder(flags));
    const { deadLetters } = folder.list();

    const wanted =
      ids === null
        ? deadLetters.filter(
            (deadLetter) => deadLetter.state !== "undecided" && reasonNotToWrite(deadLetter) === null,
          )
        : selected(deadLetters, ids);
    checkWritable(wanted, isAnyway);

    for (const deadLetter of wanted) {
      const entry = folder.entry(deadLetter);
      if (entry === null) {
        await write(null, shortId(deadLetter));
        continue;
      }
      folder.begin(deadLetter, isAnyway);
      const outcome = await write(listedDeadLetter(deadLetter, entry, false), shortId(deadLetter));
      if (outcome === "written") folder.written(deadLetter);
      else if (outcome === "unwritten") folder.unwritten(deadLetter);
    }

    const waiting = folder.list().deadLetters.filter(({ state }) => state !== "written");
    const voids = waiting.filter(isOfVoids);
    const possible = waiting.filter((one) => one.reason === "possible" && !isOfVoids(one));
    return { count: waiting.length, possible: possible.length, void: voids.length };
  });
}

/**
 * Returns the path of a data folder with a timeline or dead letters.
 * @throws StartError  the folder is missing or is not a daemon's
 */
async function daemonFolder(flags: FolderFlags): Promise<string> {
  const data = await folderPath(flags);
  if (["timeline", "dead-letters"].some((name) => existsSync(join(data, name)))) return data;
  throw new StartError(`--data ${data}: ${noTimeline(data)}`, 1);
}

function listedDeadLetter(deadLetter: DeadLetter, entry: Entry | null, isBrief: boolean): ListedDeadLetter {
  const { orderKey, from, to, reason, state, since, file } = deadLetter;
  const envelope = entry === null ? null : deadLetterEnvelope(entry, deadLetter, isBrief);
  return { id: hexOf(orderKey.id), at: orderKey.at, bytes: to - from, reason, state, since, file, envelope };
}

function deadLetterEnvelope(
  { envelope }: Entry,
  deadLetter: DeadLetter,
  isBrief: boolean,
): DeadLetterEnvelope {
  const { key, as, db, multi } = envelope;
  const dead = deadUnitsOf(envelope, deadLetter);
  const commands = dead.flatMap((unit) => commandsIn(envelope, unit));
  const lengths = dead.map(({ length }) => length);
  const indexes = dead.flatMap(({ index, length }) => Array.from({ length }, (_, i) => index + i));
  /** The indexes that commands of the envelope have among `commands`. */
  const shownAt = new Map(indexes.map((index, at) => [index, at]));

  const brief = commands
    .slice(0, 1)
    .map((argv) => argv.slice(0, MAX_BRIEF_ARGUMENTS).map((word) => word.slice(0, MAX_BRIEF_BYTES)));
  return {
    signer: hexOf(key),
    as: as === null ? null : bytes(as),
    db,
    multi,
    decide: envelope.decide || isOfVoids(deadLetter),
    units: multi || lengths.every((length) => length === 1) ? null : lengths,
    conditions: [
      ...(envelope.if ?? []).map((condition) => listedCondition(condition, null)),
      ...[...(envelope.ifs ?? [])].flatMap(([unit, conditions]) =>
        conditions.flatMap((condition) => {
          const at = shownAt.get(unit);
          return at === undefined ? [] : listedCondition(condition, at);
        }),
      ),
    ],
    count: commands.length,
    commands: (isBrief ? brief : commands).map((argv) => argv.map(bytes)),
    choices: isBrief
      ? []
      : [...(envelope.choices ?? [])].flatMap(([index, took]) => {
          const at = shownAt.get(index);
          return at === undefined ? [] : { index: at, took: took.map(bytes) };
        }),
  };
}

const listedCondition = ({ db, key, writer }: Condition, unit: number | null) => ({
  unit,
  db,
  key: bytes(key),
  writer: hexOf(writer) || null,
});

const bytes = (text: ByteString): Buffer => Buffer.from(text, "latin1");

const DIGITS_MIN = 4;
const NAMED_MAX = 10;

/** Thrown if the dead letters that an operator names cannot be chosen. The message is a sentence for the operator. */
class NotSelected extends Error {
  override readonly name = "NotSelected";
}

/**
 * @param ids  the dead letters' ids in hexadecimal, or their first digits
 * @throws NotSelected  an id matches no dead letter, or several
 */
function selected(deadLetters: readonly DeadLetter[], ids: readonly string[]): DeadLetter[] {
  const found = new Set<DeadLetter>();
  for (const text of ids) {
    const digits = text.toLowerCase();
    if (!/^[\da-f]+$/.test(digits) || digits.length < DIGITS_MIN)
      throw new NotSelected(
        `${JSON.stringify(text)} is not an id: enter at least its first ${DIGITS_MIN} hexadecimal digits.`,
      );

    const matching = deadLetters.filter(({ orderKey }) => hexOf(orderKey.id).startsWith(digits));
    const [only] = matching;
    if (only === undefined)
      throw new NotSelected(
        `No dead letter's id begins with ${digits}: dbsync dead-letters list shows them.`,
      );
    if (matching.length > 1)
      throw new NotSelected(`${matching.length} dead letters' ids begin with ${digits}: enter more digits.`);
    found.add(only);
  }
  return deadLetters.filter((deadLetter) => found.has(deadLetter));
}

/** Whether a dead letter is a write to decided keys without a decision, which each member has. */
const isOfVoids = ({ units }: Pick<DeadLetter, "units">): boolean => units !== null;

/** Returns why a dead letter may not be written again without confirmation, or null if it may. */
function reasonNotToWrite(deadLetter: DeadLetter): string | null {
  const { state, reason, since } = deadLetter;
  const when = since === null ? "" : ` at ${dateText(since)}`;
  if (state === "written") return `it was written again${when}`;
  if (state === "begun") return `writing it again was begun${when}, and may have succeeded`;
  if (isOfVoids(deadLetter))
    return "each member has it: write it from one folder, and remove it from the other ones";
  return reason === "possible" ? "the state may contain it: check that first" : null;
}

/**
 * Checks that all given dead letters may be written again.
 * @throws NotSelected  at least one dead letter may not be written again
 */
function checkWritable(deadLetters: readonly DeadLetter[], isAnyway: boolean): void {
  const undecided = deadLetters.filter(({ state }) => state === "undecided");
  if (undecided.length > 0)
    throw new NotSelected(
      `${namesOf(undecided)}: the daemon was stopped while it adopted a snapshot, and may still have it. Start the daemon first.`,
    );
  const doubtful = isAnyway ? [] : deadLetters.filter((deadLetter) => reasonNotToWrite(deadLetter) !== null);
  if (doubtful.length === 0) return;
  const lines = doubtful.map((deadLetter) => `  ${shortId(deadLetter)}: ${reasonNotToWrite(deadLetter)}`);
  throw new NotSelected(
    `Nothing was written, because it could take effect twice:\n${firstLines(lines)}\n--anyway writes them.`,
  );
}

/** Checks that the dead letters may be removed. @throws NotSelected  the entry of one may still be in the timeline */
function checkRemovable(deadLetters: readonly DeadLetter[]): void {
  const undecided = deadLetters.filter(({ state }) => state === "undecided");
  if (undecided.length > 0)
    throw new NotSelected(
      `${namesOf(undecided)} cannot be removed now: the next start of the daemon decides about it.`,
    );
}

const SHORT_DIGITS = 12;

const shortId = ({ orderKey }: DeadLetter): string => hexOf(orderKey.id).slice(0, SHORT_DIGITS);

function namesOf(deadLetters: readonly DeadLetter[]): string {
  const more = deadLetters.length > NAMED_MAX ? ` and ${deadLetters.length - NAMED_MAX} more` : "";
  return deadLetters.slice(0, NAMED_MAX).map(shortId).join(", ") + more;
}

/**
 * The limits of one request to the members: the number of envelopes that TIMELINE OUTCOME accepts, and the total bytes
 * of these envelopes.
 */
const ORDER_KEYS_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;

export interface FoundOutcomes {
  /** The number of new dead letters. */
  readonly kept: number;
  /** The number of unreadable pages in the folder. The entries on these pages are unknown. */
  readonly unread: number;
  readonly counts: Readonly<Record<EntryOutcome, number>>;
}

type Stored = readonly [orderKey: Buffer, value: Buffer];

/**
 * Finds the envelopes in the data folder of a removed daemon that no member has, and stores them in that folder as dead
 * letters. The timeline in the folder is not changed. Source: daemon/timeline/members/rules.ts.
 * @param data  the data folder
 * @param ask  receives order keys in hexadecimal, and returns an outcome for each, in order
 * @throws Error  the folder cannot be read, or the dead letters cannot be stored; after an error, no dead letter is
 * stored
 */
async function findIn(
  data: string,
  ask: (orderKeys: readonly string[]) => Promise<readonly EntryOutcome[]>,
): Promise<FoundOutcomes> {
  const counts: Record<EntryOutcome, number> = { held: 0, undecided: 0, "dead-letter": 0, forgotten: 0 };
  const stored = await storeEntries(data, async (batch) => {
    const outcomes = await ask(batch.map(([orderKey]) => orderKey.toString("hex")));
    return batch.map((_, index) => {
      const outcome = outcomes[index] ?? "undecided";
      counts[outcome]++;
      return outcome === "dead-letter" ? "evicted" : null;
    });
  });
  return { ...stored, counts };
}

/** The dead letters made from all writes of a folder. */
export interface AllWrites {
  /** The number of new dead letters. */
  readonly kept: number;
  /** The number of unreadable pages in the folder. The entries on these pages are unknown. */
  readonly unread: number;
  /** The number of entries that only change keys or members, which are not stored. */
  readonly ofRing: number;
}

/** The dead letters made from the folder of a daemon that no peer has admitted. */
export interface Stranded extends AllWrites {
  /** Whether the folder no longer contains its first entries. */
  readonly hasPruned: boolean;
}

/**
 * Stores all writes of a folder as dead letters, if no other daemon has received any of them.
 * @param clusters  the clusters in which the dead letters will be written again
 * @throws Failure, NotSelected; in both cases no dead letter is stored
 */
export function strandedDeadLetters(
  flags: FolderFlags,
  clusters: ReadonlySet<ByteString>,
): Promise<Stranded> {
  return withFolderErrors(async () => {
    const data = await daemonFolder(flags);
    const marks = await openFolderView(join(data, "timeline"), () => {});
    const wasCompared = admittedIn(marks) === "compared";
    const cluster = recordedCluster(marks);
    const hasPruned = marks.mark("pruned") !== null;
    marks.close();
    if (wasCompared)
      throw new NotSelected(
        "Nothing was written: this folder's daemon has exchanged its writes with other daemons, so they are not stranded. " +
          "If it was evicted, find the writes that no member has: dbsync dead-letters find.",
      );
    // The daemons may have its writes: a restored backup, for example, contains no record of an admission.
    if (cluster !== null && clusters.has(cluster))
      throw new NotSelected(
        "Nothing was written: this folder belongs to the same cluster as the daemons in -s, which may have its writes already. " +
          "Start a daemon with this folder, and with the cluster's --cluster-secret: it sends them the writes that they do not have.",
      );

    const writer = new DeadLetterStore(data, Number.POSITIVE_INFINITY).open(Date.now());
    return { ...(await storeWrites(data, "stranded", writer)), hasPruned };
  });
}

/**
 * Stores all writes of a folder as dead letters, except commands that change keys or members.
 * @param beforeSettled  called when the dead letters are on the disk, before they are valid
 * @throws Error  as `findIn`
 */
export async function storeWrites(
  data: string,
  reason: DeadLetterReason,
  writer: DeadLetterWriter,
  beforeSettled: () => void = () => {},
): Promise<AllWrites> {
  let ofRing = 0;
  const choose = async (batch: readonly Stored[]) =>
    batch.map(([orderKey, value]) => {
      const entry = viewEntry(readOrderKey(orderKey), value, hashOf);
      // A damaged entry is stored too, so that `write-again` reports it.
      if (entry === null || !isRingEntry(entry.envelope)) return reason;
      ofRing++;
      return null;
    });
  return { ...(await storeEntries(data, choose, writer, beforeSettled)), ofRing };
}

/**
 * Stores entries of a folder as dead letters, except those that already are.
 * @param choose  returns the reason why each entry of a batch becomes a dead letter, or null if it does not
 */
async function storeEntries(
  data: string,
  choose: (batch: readonly Stored[]) => Promise<readonly (DeadLetterReason | null)[]>,
  writer = new DeadLetterStore(data, Number.POSITIVE_INFINITY).open(Date.now()),
  beforeSettled: () => void = () => {},
): Promise<{ readonly kept: number; readonly unread: number }> {
  let unread = 0;
  const view = await openFolderView(join(data, "timeline"), () => void unread++);
  try {
    for (const batch of batchesOf(view.entries(null), knownIn(data))) {
      const reasons = await choose(batch);
      for (const [index, [orderKey, value]] of batch.entries()) {
        const reason = reasons[index] ?? null;
        if (reason !== null) writer.store(orderKey, value, reason);
      }
    }
    await writer.commit();
    beforeSettled();
    // A daemon that adopts a snapshot must first record that it has dropped the entries. This program drops none.
    writer.settle();
    return { kept: writer.figures.stored, unread };
  } catch (problem) {
    writer.discard();
    const reason = problem instanceof DeadLettersNotStored ? writingFailure(problem) : null;
    throw reason === null
      ? problem
      : new DeadLettersNotWritten(deadLettersFolder(data), reason, "No dead letter was written");
  } finally {
    view.close();
  }
}

const knownIn = (data: string): ReadonlySet<ByteString> =>
  new Set(
    new DeadLetterFolder(data)
      .list()
      .deadLetters.filter(({ state }) => state !== "undecided")
      .map(({ orderKey }) => orderKey.id),
  );

function* batchesOf(entries: Iterable<Stored>, known: ReadonlySet<ByteString>): Generator<Stored[]> {
  let batch: Stored[] = [];
  let bytes = 0;
  for (const [orderKey, value] of entries) {
    if (orderKey.length !== ENTRY_ORDER_KEY_BYTES || known.has(readOrderKey(orderKey).id)) continue;
    // The buffers are views of pages that will be overwritten by the next read.
    batch.push([Buffer.from(orderKey), Buffer.from(value)]);
    bytes += value.length;
    if (batch.length < ORDER_KEYS_MAX && bytes < BYTES_MAX) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
