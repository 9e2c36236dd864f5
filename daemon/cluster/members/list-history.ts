/**
 * All member lists that this daemon has ever accepted. A list that was replaced is needed to check the decisions that
 * its members have made. The lists in use prove the lists that they follow, by their hashes.
 * Source: docs/member-protocol.md "Members by list".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { readEntries, writeEntries } from "../../../protocol/members/member-elements.js";
import { isListText, type MemberList, type SignedList } from "../../../protocol/members/member-list.js";
import type { Storage } from "../../timeline/entries/storage.js";
import { listOf } from "./check-list.js";

/** The maximum number of lists that only unchecked decisions name, and that are requested from members. */
const NAMED_MAX = 16;

/** The lists that a list follows, directly or not. */
export interface EarlierLists {
  readonly lists: readonly SignedList[];
  /**
   * The ids of the daemons that may be members of the lists among them that are not known; empty: all are known. What
   * these daemons have not stored is lost, for example because only removed daemons had the list.
   */
  readonly unknown: ReadonlySet<ByteString>;
}

export class ListHistory {
  readonly #storage: Storage;
  readonly #lists: Map<ByteString, SignedList>;
  /** Missing lists that decisions name, the oldest first. Their votes are not checked yet: they may be invented. */
  readonly #named = new Set<ByteString>();
  #heads: readonly SignedList[] = [];
  /** The hashes of the lists in use and of all lists that these follow, known or not. */
  #proved: ReadonlySet<ByteString> = new Set();

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#lists = readListHistory(storage.readMark("lists"));
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
    const missing = [...this.#proved, ...this.#named].filter((hash) => !this.#lists.has(hash));
    return new Set(missing);
  }

  /** Whether a list is in use, or a list in use follows it, directly or not. */
  isProved(hash: ByteString): boolean {
    return this.#proved.has(hash);
  }

  /** Whether some known lists are neither in use nor followed by one in use, for example those of a restored backup. */
  get hasUnproved(): boolean {
    return [...this.#lists.keys()].some((hash) => !this.#proved.has(hash));
  }

  /** Whether that is known of a list whose hash begins with the given bytes. */
  isPrefixProved(prefix: ByteString): boolean {
    return [...this.#proved].some((hash) => hash.startsWith(prefix));
  }

  /** Whether the members of one of these lists have signed it without half of those of the list before it, or more. */
  get isForced(): boolean {
    return [...this.#lists.values()].some(({ list, body }) => {
      const parents = isListText(body) ? list.parents.flatMap((hash) => this.#lists.get(hash) ?? []) : [];
      return parents.some((parent) => 2 * remaining(list, parent.list) <= parent.list.members.length);
    });
  }

  /** Replaces the lists in use. */
  use(heads: readonly SignedList[]): void {
    this.#heads = heads;
    for (const list of heads) this.add(list);
    this.#prove();
  }

  /** Records that a decision names a list that is not known. */
  miss(hash: ByteString): void {
    if (this.#lists.has(hash) || this.#named.has(hash)) return;
    for (const oldest of this.#named) if (this.#named.size >= NAMED_MAX) this.#named.delete(oldest);
    this.#named.add(hash);
  }

  /**
   * Returns the lists that a list follows, directly or not, with at least the given number. Lists that are not known
   * are requested from members.
   */
  before(list: SignedList, number: number): EarlierLists {
    const found = new Map<ByteString, SignedList>();
    const open = [list];
    const unknown = new Set<ByteString>();

    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      // A parent's number is lower.
      if (one.list.number <= number) continue;
      for (const hash of one.list.parents) {
        const parent = this.#lists.get(hash);
        if (parent === undefined) {
          // An id that was left out never returns, so each member of an earlier list that is still one is in this list.
          for (const id of one.list.members) unknown.add(id);
        } else if (parent.list.number >= number && !found.has(hash)) {
          found.set(hash, parent);
          open.push(parent);
        }
      }
    }

    return { lists: [...found.values()], unknown };
  }

  add(list: SignedList): void {
    this.#named.delete(list.hash);
    if (this.#lists.has(list.hash)) return;
    this.#lists.set(list.hash, list);
    this.#prove();
    this.#storage.put([], [["lists", writeEntries([...this.#lists.values()])]]);
  }

  #prove(): void {
    const proved = new Set(this.#heads.map(({ hash }) => hash));
    for (const hash of proved)
      for (const parent of this.#lists.get(hash)?.list.parents ?? []) proved.add(parent);
    this.#proved = proved;
  }
}

const remaining = (list: MemberList, before: MemberList): number =>
  before.members.filter((id) => list.members.includes(id)).length;

/** Parses stored lists, which were checked when they arrived. @param bytes  the mark, or null if there is none */
export function readListHistory(bytes: Buffer | null): Map<ByteString, SignedList> {
  const lists = new Map<ByteString, SignedList>();
  for (const { body, signature } of bytes === null ? [] : (readEntries(Buffer.from(bytes)) ?? [])) {
    const list = listOf(body, signature);
    if (!("refused" in list)) lists.set(list.hash, list);
  }
  return lists;
}
