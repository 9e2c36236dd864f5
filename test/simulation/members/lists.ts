/** The lists of a run. A list has a number, and the lists that a daemon knows are a number with a bit for each. */
import { createHash } from "node:crypto";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type KnownList,
  listHash,
  type MemberList,
  type MembershipState,
} from "../../../protocol/members/member-list.js";
import type { Rules } from "./rules.js";

export const CLUSTER: ByteString = "c".repeat(32);

/** Ids by daemon number. */
const IDS: readonly ByteString[] = Array.from({ length: 26 }, (_, i) =>
  String.fromCharCode(65 + i).repeat(32),
);
export const idOf = (daemon: number): ByteString => IDS[daemon] as ByteString;
export const numberOf = (id: ByteString): number => id.charCodeAt(0) - 65;

const sha256 = (bytes: Buffer): ByteString => createHash("sha256").update(bytes).digest().toString("latin1");

export class Lists {
  readonly all: KnownList[] = [];
  readonly #rules: Pick<Rules, "membershipStateOf">;
  readonly #numbers = new Map<ByteString, number>();
  /** The membership state by known lists. Each set of lists includes all predecessors. */
  readonly #memberships = new Map<number, MembershipState>();

  constructor(rules: Pick<Rules, "membershipStateOf">) {
    this.#rules = rules;
  }

  readonly #closed = new Map<number, number>();

  /** Adds a list. @returns the list and its predecessors, which every daemon that knows the list also knows */
  add(list: MemberList): number {
    const hash = listHash(list, sha256);
    if (!this.#numbers.has(hash)) {
      this.#numbers.set(hash, this.all.length);
      this.all.push({ hash, list });
    }
    return this.#withParents(this.#numbers.get(hash) as number);
  }

  bitOf(hash: ByteString): number {
    return 1 << (this.#numbers.get(hash) as number);
  }

  /** Returns the lists of `known` whose parents are all in `known`. */
  closed(known: number): number {
    const before = this.#closed.get(known);
    if (before !== undefined) return before;
    let closed = 0;
    for (let i = 0; i < this.all.length; i++)
      if ((known & (1 << i)) !== 0 && (this.#withParents(i) & ~known) === 0) closed |= 1 << i;
    this.#closed.set(known, closed);
    return closed;
  }

  membership(known: number): MembershipState {
    const before = this.#memberships.get(known);
    if (before !== undefined) return before;
    const membership = this.#rules.membershipStateOf(this.all.filter((_, i) => (known & (1 << i)) !== 0));
    this.#memberships.set(known, membership);
    return membership;
  }

  #withParents(number: number): number {
    const { list } = this.all[number] as KnownList;
    let bits = 1 << number;
    for (const parent of list.parents) bits |= this.#withParents(this.#numbers.get(parent) as number);
    return bits;
  }
}
