/**
 * Finds the envelopes in the data folder of a removed daemon that no member has, and stores them in that folder as dead
 * letters. The caller queries the members about each envelope. The timeline in the folder is not changed. Source:
 * daemon/timeline/members/rules.ts.
 */
import { join } from "node:path";
import { writingFailure } from "../../../keys/write-failures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DeadLetterWriter } from "../../timeline/dead-letters.js";
import { openFolderView } from "../../timeline/disk/folder-view.js";
import { ORDER_KEY_BYTES, readOrderKey } from "../../timeline/entries/entry.js";
import type { EntryOutcome } from "../../timeline/members/rules.js";
import { DeadLetterFolder, DeadLettersNotWritten, deadLettersFolder } from "./dead-letter-folder.js";
import { DeadLetterStore, DeadLettersNotStored } from "./dead-letter-store.js";

/**
 * The limits of one request to the members: the number of envelopes that TIMELINE OUTCOME accepts, and the total bytes of
 * these envelopes.
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
 * @param data  the data folder
 * @param ask  receives order keys in hexadecimal, and returns an outcome for each, in order
 * @throws Error  the folder cannot be read, or the dead letters cannot be stored; after an error, no dead letter is
 * stored
 */
export async function findDeadLetters(
  data: string,
  ask: (orderKeys: readonly string[]) => Promise<readonly EntryOutcome[]>,
): Promise<FoundOutcomes> {
  const known = knownIn(data);
  let unread = 0;
  const damaged = () => void unread++;
  const view = await openFolderView(join(data, "timeline"), damaged);
  const writer = new DeadLetterStore(data, Number.POSITIVE_INFINITY).open(Date.now());
  const counts: Record<EntryOutcome, number> = { held: 0, undecided: 0, "dead-letter": 0, forgotten: 0 };
  try {
    for (const batch of batchesOf(view.entries(null), known)) {
      const outcomes = await ask(batch.map(([orderKey]) => orderKey.toString("hex")));
      for (const [index, [orderKey, value]] of batch.entries()) {
        const outcome = outcomes[index] ?? "undecided";
        counts[outcome]++;
        if (outcome === "dead-letter") writer.store(orderKey, value, "evicted");
      }
    }
    return { kept: await settled(writer), unread, counts };
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

/**
 * Completes the file of dead letters, and makes it valid immediately. A daemon that adopts a snapshot must first record
 * that it has dropped the entries, but this program drops no entries.
 */
async function settled(writer: DeadLetterWriter): Promise<number> {
  await writer.commit();
  writer.settle();
  return writer.figures.stored;
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
    if (orderKey.length !== ORDER_KEY_BYTES || known.has(readOrderKey(orderKey).id)) continue;
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
