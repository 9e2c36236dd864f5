/**
 * A set value: distinct members in a dense order, which is state. A small one is one packed string; once it has been larger
 * it stays a table.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { DenseTable } from "./dense-table.js";
import {
  copied,
  elementAt,
  findPacked,
  isPackable,
  offsetOf,
  PACKED_ELEMENTS_MAX,
  splicePacked,
  unpacked,
} from "./packed.js";

export class MemberSet {
  #content: ByteString | DenseTable<ByteString> = "";
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The members in dense order; not to be changed. Made anew for a small set: ask once. */
  get members(): readonly ByteString[] {
    const content = this.#content;
    return typeof content === "string" ? unpacked(content) : content.items;
  }

  has(member: ByteString): boolean {
    return this.find(member) >= 0;
  }

  /** The member's place, or -1. */
  find(member: ByteString): number {
    const content = this.#content;
    return typeof content === "string" ? findPacked(content, member, 1) : content.find(member);
  }

  /** The member at a place. */
  at(place: number): ByteString {
    const content = this.#content;
    return typeof content === "string" ? elementAt(content, offsetOf(content, place)) : content.items[place]!;
  }

  /** Appends a member that is absent. Inverse: `pop`. */
  push(member: ByteString): void {
    const content = this.#roomFor(member);
    if (typeof content === "string") this.#content = splicePacked(content, this.#size, 0, [member]);
    else content.push(member);
    this.#size++;
  }

  /** Takes the last member off again. */
  pop(): void {
    this.removeAt(this.#size - 1);
  }

  /** Removes the member at a place; the last one moves there. Inverse: `restoreAt`. */
  removeAt(place: number): void {
    const content = this.#content;
    const last = --this.#size;
    if (typeof content !== "string") {
      content.removeAt(place);
      return;
    }
    const end = offsetOf(content, last);
    this.#content =
      place === last
        ? splicePacked(content, last, 1, [])
        : splicePacked(content.substring(0, end), place, 1, [elementAt(content, end)]);
  }

  /** Puts a removed member back where it was. */
  restoreAt(place: number, member: ByteString): void {
    const content = this.#roomFor(member);
    if (typeof content !== "string") {
      content.restoreAt(place, member);
    } else if (place === this.#size) {
      this.#content = splicePacked(content, place, 0, [member]);
    } else {
      const moved = elementAt(content, offsetOf(content, place));
      this.#content = splicePacked(splicePacked(content, place, 1, [member]), this.#size, 0, [moved]);
    }
    this.#size++;
  }

  clone(): MemberSet {
    const copy = new MemberSet();
    copy.#size = this.#size;
    copy.#content = typeof this.#content === "string" ? this.#content : tableOf(this.#content.items);
    return copy;
  }

  /** The content, as a table if a member to be added is too much for a packed string. */
  #roomFor(member: ByteString): ByteString | DenseTable<ByteString> {
    const content = this.#content;
    if (typeof content !== "string") return content;
    if (this.#size < PACKED_ELEMENTS_MAX && isPackable(member)) return content;
    this.#content = tableOf(unpacked(content).map(copied));
    return this.#content;
  }
}

function tableOf(members: readonly ByteString[]): DenseTable<ByteString> {
  const table = new DenseTable<ByteString>(itself);
  for (const member of members) table.push(member);
  return table;
}

const itself = (member: ByteString) => member;
