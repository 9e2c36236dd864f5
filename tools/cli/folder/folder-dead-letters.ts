/**
 * Lists, selects and removes dead letters in a daemon's data folder, and marks those that `dbsync` writes again.
 */
import {
  type DeadLetter,
  DeadLetterFolder,
  deadUnits,
  type UnreadDeadLetters,
} from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Condition, dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { firstLines } from "../shared/output.js";
import { daemonFolder, withFolderErrors } from "./data-folder.js";

/** The maximum numbers of arguments of a command, and of bytes of an argument, that a list shows. */
const BRIEF_ARGUMENTS_MAX = 3;
const BRIEF_BYTES_MAX = 32;

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
  /** Whether each unit is written again by itself: the members of a list have to decide on it. */
  readonly isApart: boolean;
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
  /** The commands; in a list only the beginning of the first command. */
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

/** Lists the dead letters of a folder. @throws ExitError */
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
 * @throws ExitError, NotSelected
 */
export function showDeadLetters(ids: readonly string[], flags: FolderFlags): Promise<ListedDeadLetter[]> {
  return withFolderErrors(async () => {
    const folder = new DeadLetterFolder(await daemonFolder(flags));
    const deadLetters = selectDeadLetters(folder.list().deadLetters, ids);
    return deadLetters.map((deadLetter) => listedDeadLetter(deadLetter, folder.entry(deadLetter), false));
  });
}

/** Removes dead letters. @returns the removed dead letters @throws ExitError, NotSelected, DeadLettersNotWritten */
export function removeDeadLetters(ids: readonly string[], flags: FolderFlags): Promise<ListedDeadLetter[]> {
  return withFolderErrors(async () => {
    const folder = new DeadLetterFolder(await daemonFolder(flags));
    const deadLetters = selectDeadLetters(folder.list().deadLetters, ids);
    checkRemovable(deadLetters);
    const shown = deadLetters.map((deadLetter) =>
      listedDeadLetter(deadLetter, folder.entry(deadLetter), false),
    );
    folder.remove(deadLetters);
    return shown;
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
}

/**
 * Writes dead letters one after the other: marks each as begun, calls `write`, and marks it with the returned outcome.
 * If `write` throws, the dead letter remains marked as begun.
 * @param write  receives the dead letter, or null if its bytes are damaged, and its short id
 * @returns the dead letters of the folder that still wait afterwards
 * @throws ExitError, NotSelected, DeadLetterTaken
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
        : selectDeadLetters(deadLetters, ids);
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
    return {
      count: waiting.length,
      possible: waiting.filter(({ reason }) => reason === "possible").length,
    };
  });
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
  const dead = deadUnits(envelope, deadLetter);
  const commands = dead.flatMap((unit) => unit.commands);
  const lengths = dead.map(({ range }) => range.length);
  const units = multi || lengths.every((length) => length === 1) ? null : lengths;

  /** The index that each command of the envelope has among those that are shown. */
  const shownAt = new Map(
    dead
      .flatMap(({ range }) => Array.from({ length: range.length }, (_, i) => range.index + i))
      .map((index, i) => [index, i]),
  );

  const isApart = envelope.decide || deadLetter.units !== null;
  const brief = commands
    .slice(0, 1)
    .map((argv) => argv.slice(0, BRIEF_ARGUMENTS_MAX).map((word) => word.slice(0, BRIEF_BYTES_MAX)));
  return {
    signer: hexOf(key),
    as: as === null ? null : bytes(as),
    db,
    multi,
    isApart,
    units,
    conditions: [
      ...(envelope.if ?? []).map((condition) => listedCondition(condition, null)),
      ...[...(envelope.ifs ?? [])].flatMap(([unit, conditions]) =>
        conditions.map((condition) => listedCondition(condition, unit)),
      ),
    ],
    count: commands.length,
    commands: (isBrief ? brief : commands).map((argv) => argv.map(bytes)),
    choices: isBrief
      ? []
      : [...(envelope.choices ?? [])].flatMap(([index, took]) => {
          const at = shownAt.get(index);
          return at === undefined ? [] : [{ index: at, took: took.map(bytes) }];
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
export class NotSelected extends Error {
  override readonly name = "NotSelected";
}

/**
 * @param ids  the dead letters' ids in hexadecimal, or their first digits
 * @throws NotSelected  an id matches no dead letter, or several
 */
function selectDeadLetters(deadLetters: readonly DeadLetter[], ids: readonly string[]): DeadLetter[] {
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

/** Returns why a dead letter may not be written again without confirmation, or null if it may. */
function reasonNotToWrite({ state, reason, since }: DeadLetter): string | null {
  const when = since === null ? "" : ` at ${dateText(since)}`;
  if (state === "written") return `it was written again${when}`;
  if (state === "begun") return `writing it again was begun${when}, and may have succeeded`;
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
