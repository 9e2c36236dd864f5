/**
 * All member lists that this daemon has ever accepted. A list that was replaced is needed to check the decisions that its
 * members have made.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { readEntries, writeEntries } from "../../protocol/members/packed-entries.js";
import type { SignedList } from "../../protocol/members/signed-list.js";
import type { Storage } from "../../timeline/entries/storage.js";
import { listOf } from "./list-proof.js";

/** The maximum number of lists that only unchecked decisions name, and that are requested from members. */
const NAMED_MAX = 16;

export class ListHistory {
  readonly #storage: Storage;
  readonly #lists: Map<ByteString, SignedList>;
  /** The missing lists that decisions name, the oldest first. Their votes are not checked yet, so they may be invented. */
  readonly #named = new Set<ByteString>();
  /** The missing lists that a known list names, whose hashes are therefore proved. */
  readonly #parents = new Set<ByteString>();

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#lists = readListHistory(storage.mark("lists"));
    for (const list of this.#lists.values()) this.#missParents(list);
  }

  /** The number of known lists. */
  get size(): number {
    return this.#lists.size;
  }

  find(hash: ByteString): SignedList | null {
    return this.#lists.get(hash) ?? null;
  }

  /** The hashes of lists that decisions or later lists name, and that no member has sent yet. */
  get missing(): ReadonlySet<ByteString> {
    return new Set([...this.#parents, ...this.#named]);
  }

  /** Records that a decision names a list that is not known. */
  miss(hash: ByteString): void {
    if (this.#lists.has(hash) || this.#named.has(hash)) return;
    for (const oldest of this.#named) if (this.#named.size >= NAMED_MAX) this.#named.delete(oldest);
    this.#named.add(hash);
  }

  /** Whether a known list follows the list with this hash, which is missing. */
  isMissingParent(hash: ByteString): boolean {
    return this.#parents.has(hash);
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
        if (parent === undefined) isComplete = false;
        else if (parent.list.number >= number && !found.has(hash)) {
          found.set(hash, parent);
          open.push(parent);
        }
      }
    }
    return isComplete ? [...found.values()] : null;
  }

  add(list: SignedList): void {
    this.#named.delete(list.hash);
    this.#parents.delete(list.hash);
    if (this.#lists.has(list.hash)) return;
    this.#lists.set(list.hash, list);
    this.#missParents(list);
    this.#storage.put([], [["lists", writeEntries([...this.#lists.values()])]]);
  }

  #missParents({ list: { parents } }: SignedList): void {
    for (const hash of parents) if (!this.#lists.has(hash)) this.#parents.add(hash);
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
