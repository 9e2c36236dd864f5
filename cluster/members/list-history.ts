/**
 * All member lists that this daemon has ever accepted. A list that was replaced is needed to check the decisions that its
 * members have made.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { readEntries, writeEntries } from "../../protocol/members/packed-entries.js";
import type { SignedList } from "../../protocol/members/signed-list.js";
import type { Storage } from "../../timeline/entries/storage.js";
import { listOf } from "./list-proof.js";

/** The maximum number of lists that are requested from members at the same time. */
const MISSING_MAX = 16;

export class ListHistory {
  readonly #storage: Storage;
  readonly #lists: Map<ByteString, SignedList>;
  readonly #missing = new Set<ByteString>();

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#lists = readListHistory(storage.mark("lists"));
  }

  /** The number of known lists. */
  get size(): number {
    return this.#lists.size;
  }

  find(hash: ByteString): SignedList | null {
    return this.#lists.get(hash) ?? null;
  }

  /** The hashes of lists that decisions name, and that no member has sent yet. */
  get missing(): ReadonlySet<ByteString> {
    return this.#missing;
  }

  /** Records that a decision names a list that is not known. */
  miss(hash: ByteString): void {
    if (!this.#lists.has(hash) && this.#missing.size < MISSING_MAX) this.#missing.add(hash);
  }

  /**
   * Returns the lists that a list follows, directly or not, with at least the given number. Returns null if one of them
   * is not known; members are then asked for it.
   */
  before(list: SignedList, number: number): SignedList[] | null {
    const found = new Map<ByteString, SignedList>();
    const open = [list];
    let isComplete = true;
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      // A parent's number is lower.
      if (one.list.number <= number) continue;
      for (const hash of one.list.parents) {
        const parent = this.#lists.get(hash);
        if (parent === undefined) {
          this.miss(hash);
          isComplete = false;
        } else if (parent.list.number >= number && !found.has(hash)) {
          found.set(hash, parent);
          open.push(parent);
        }
      }
    }
    return isComplete ? [...found.values()] : null;
  }

  add(list: SignedList): void {
    this.#missing.delete(list.hash);
    if (this.#lists.has(list.hash)) return;
    this.#lists.set(list.hash, list);
    this.#storage.put([], [["lists", writeEntries([...this.#lists.values()])]]);
  }
}

/** Parses stored lists, which were checked when they arrived. @param bytes  the mark, or null if there is none */
export function readListHistory(bytes: Buffer | null): Map<ByteString, SignedList> {
  const lists = new Map<ByteString, SignedList>();
  for (const { body, signature } of bytes === null ? [] : (readEntries(Buffer.from(bytes)) ?? [])) {
    const list = listOf(body, signature);
    if (!("refused" in list)) lists.set(list.hash, list);
  }
  return lists;
}
