/**
 * An ordered list of distinct members: O(1) look-up, O(1) append, O(1) removal by moving the last one into the hole.
 * The order is state: a seeded choice takes member number (seed mod size), so every daemon must have the same order,
 * and each removal has an exact inverse. Source: research on the fold, mutators "add" and "remove".
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** Up to here a linear search beats a hash table, in time and in memory. */
const LINEAR_SEARCH_MEMBERS_MAX = 12;

export class DenseIndex {
  readonly members: ByteString[] = [];
  /** Member → place; only while there are many. */
  #places: Map<ByteString, number> | null = null;

  get size(): number {
    return this.members.length;
  }

  /** The member's place, or -1. */
  find(member: ByteString): number {
    if (this.#places === null) return this.members.indexOf(member);
    return this.#places.get(member) ?? -1;
  }

  /** Appends a member that is not in the list. */
  push(member: ByteString): void {
    this.members.push(member);
    if (this.#places !== null) this.#places.set(member, this.members.length - 1);
    else if (this.members.length > LINEAR_SEARCH_MEMBERS_MAX) this.#buildPlaces();
  }

  /** Takes the last member off again: the inverse of `push`. */
  pop(): void {
    const member = this.members.pop();
    if (member !== undefined) this.#places?.delete(member);
  }

  /** Removes the member at a place; the last one moves there. */
  removeAt(place: number): void {
    const member = this.members[place] as ByteString;
    const last = this.members.pop() as ByteString;
    this.#places?.delete(member);
    if (place === this.members.length) return;
    this.members[place] = last;
    this.#places?.set(last, place);
  }

  /** Puts a removed member back where it was: the exact inverse of `removeAt`. */
  restoreAt(place: number, member: ByteString): void {
    if (place === this.members.length) {
      this.push(member);
      return;
    }
    const moved = this.members[place] as ByteString;
    this.members[place] = member;
    this.#places?.set(member, place);
    this.push(moved);
  }

  #buildPlaces(): void {
    this.#places = new Map();
    for (let place = 0; place < this.members.length; place++)
      this.#places.set(this.members[place] as ByteString, place);
  }
}
