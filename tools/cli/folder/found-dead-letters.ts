/** Stores entries of a data folder as dead letters: those that no member has, or those that a caller chooses. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  DeadLetterFolder,
  DeadLettersNotWritten,
  deadLettersFolder,
} from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import {
  DeadLetterStore,
  DeadLettersNotStored,
} from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { ownerOf } from "../../../daemon/engine/trust/data-folder.js";
import { StartError } from "../../../daemon/net/process/service.js";
import type { DeadLetterReason } from "../../../daemon/timeline/dead-letters.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import type { EntryOutcome } from "../../../daemon/timeline/members/rules.js";
import { writingFailure } from "../../../keys/atomic-file.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { ENTRY_ORDER_KEY_BYTES, hexOf } from "../../../protocol/version-2/envelope.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { daemonFolder, withFolderErrors } from "./data-folder.js";

// tools/history, which uses this type, may not import the daemon's modules.
export type { EntryOutcome };

/**
 * The limits of a batch: the number of order keys that one TIMELINE OUTCOME may name, and the total bytes of the
 * entries that are in memory meanwhile.
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

/** An entry of the folder: its order key and its value, as they are stored. */
export type Stored = readonly [orderKey: Buffer, value: Buffer];

/**
 * Stores the entries of an evicted daemon that no member has as dead letters, in the daemon's data folder. The timeline
 * in the folder is not changed. Source: daemon/timeline/members/rules.ts.
 * @param query  sends TIMELINE OUTCOME to the members, with the daemon's id and then order keys, all hexadecimal;
 * returns an outcome for each order key, in order
 * @throws ExitError, and the errors of `query`; in both cases no dead letter is stored
 */
export function storeUnheldEntries(
  flags: FolderFlags,
  query: (args: readonly string[]) => Promise<readonly EntryOutcome[]>,
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
    const counts: Record<EntryOutcome, number> = { held: 0, undecided: 0, "dead-letter": 0, forgotten: 0 };
    const stored = await storeEntries(data, async (batch) => {
      const outcomes = await query([id, ...batch.map(([orderKey]) => orderKey.toString("hex"))]);
      return batch.map((_, index) => {
        const outcome = outcomes[index] ?? "undecided";
        counts[outcome]++;
        return outcome === "dead-letter" ? "evicted" : null;
      });
    });
    return { ...stored, counts };
  });
}

/**
 * Stores entries of a folder as dead letters, except those that already are.
 * @param choose  returns the reason why each entry of a batch becomes a dead letter, or null if it does not
 * @param beforeSettled  called when the dead letters are on the disk, before they are valid
 * @throws Error  the folder cannot be read, the dead letters cannot be stored, or `choose` has failed; in all cases no
 * dead letter is stored
 */
export async function storeEntries(
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
    // The entries stay in the folder, so the dead letters are valid immediately.
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

/** Returns the ids of the entries that are dead letters already, except undecided ones, which may not become valid. */
const knownIn = (data: string): ReadonlySet<ByteString> =>
  new Set(
    new DeadLetterFolder(data)
      .list()
      .deadLetters.filter(({ state }) => state !== "undecided")
      .map(({ orderKey }) => orderKey.id),
  );

/** Yields the entries that are not known, in batches within the limits. */
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
