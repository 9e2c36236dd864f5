/** Lists, finds and removes dead letters in a daemon's data folder, and marks those that `dbsync` writes again. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  checkRemovable,
  checkWritable,
  reasonNotToWrite,
  selected,
  shortId,
} from "../../../daemon/cluster/dead-letters/dead-letter-choice.js";
import {
  type DeadLetter,
  DeadLetterFolder,
  type UnreadDeadLetters,
} from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import {
  type FoundOutcomes,
  findDeadLetters as findIn,
} from "../../../daemon/cluster/dead-letters/evicted-dead-letters.js";
import { noTimeline, ownerOf } from "../../../daemon/engine/trust/data-folder.js";
import { StartError } from "../../../daemon/net/process/start-error.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { EntryOutcome } from "../../../daemon/timeline/members/rules.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { withFolderErrors } from "./folder-failures.js";
import { folderPath } from "./folder-settings.js";

export type { EntryOutcome, FoundOutcomes };

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
  /** The number of commands of each unit, if there are several units of which some have several commands; else null. */
  readonly units: readonly number[] | null;
  /** `writer` is hexadecimal, or null if the key had to be absent. */
  readonly conditions: readonly {
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
    return {
      count: waiting.length,
      possible: waiting.filter(({ reason }) => reason === "possible").length,
    };
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
  const envelope = entry === null ? null : deadLetterEnvelope(entry, isBrief);
  return { id: hexOf(orderKey.id), at: orderKey.at, bytes: to - from, reason, state, since, file, envelope };
}

function deadLetterEnvelope({ envelope }: Entry, isBrief: boolean): DeadLetterEnvelope {
  const { key, as, db, multi, units, commands } = envelope;
  const brief = commands
    .slice(0, 1)
    .map((argv) => argv.slice(0, MAX_BRIEF_ARGUMENTS).map((word) => word.slice(0, MAX_BRIEF_BYTES)));
  return {
    signer: hexOf(key),
    as: as === null ? null : bytes(as),
    db,
    multi,
    units,
    conditions: (envelope.if ?? []).map(({ db, key, writer }) => ({
      db,
      key: bytes(key),
      writer: hexOf(writer) || null,
    })),
    count: commands.length,
    commands: (isBrief ? brief : commands).map((argv) => argv.map(bytes)),
    choices: isBrief
      ? []
      : [...(envelope.choices ?? [])].map(([index, took]) => ({ index, took: took.map(bytes) })),
  };
}

const bytes = (text: ByteString): Buffer => Buffer.from(text, "latin1");
