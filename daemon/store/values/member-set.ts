/**
 * A set value: distinct members in a dense order, which is part of the state. A small set is one packed string; once it
 * has grown larger, it remains a table.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DigestMix } from "./digest-mix.js";
import { namedBytes, sampledBytes, tableBytes } from "./memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueWriter,
} from "./object-value.js";
import { type DenseTable, tableOfNames } from "./tables/dense-table.js";
import {
  copied,
  elementAt,
  findPacked,
  isPackable,
  offsetOf,
  PACKED_ELEMENTS_MAX,
  removePackedItem,
  restorePackedItem,
  splicePacked,
  unpacked,
} from "./tables/packed-elements.js";
import { type PageRequest, type ScanPage, smallPage } from "./tables/scan-page.js";

export class MemberSet implements ObjectValue {
  #content: ByteString | DenseTable<ByteString> = "";
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get type(): "set" {
    return "set";
  }

  get allElements(): number {
    return this.size;
  }

  /** The members in dense order; the caller must not change them. A small set creates a new array for each call. */
  get members(): readonly ByteString[] {
    const content = this.#content;
    return typeof content === "string" ? unpacked(content) : content.items;
  }

  /** Returns a page of a scan. */
  page(request: PageRequest): ScanPage {
    const content = this.#content;
    return typeof content === "string" ? smallPage(this.members, request) : content.page(request);
  }

  has(member: ByteString): boolean {
    return this.find(member) >= 0;
  }

  /** Returns the member's slot, or -1. */
  find(member: ByteString): number {
    const content = this.#content;
    return typeof content === "string" ? findPacked(content, member, 1) : content.find(member);
  }

  /** Returns the member at the given slot. */
  at(slot: number): ByteString {
    const content = this.#content;
    return typeof content === "string" ? elementAt(content, offsetOf(content, slot)) : content.items[slot]!;
  }

  /** Appends a new member. Inverse: `pop`. */
  push(member: ByteString): void {
    const content = this.#contentFor(member);
    if (typeof content === "string") this.#content = splicePacked(content, this.#size, 0, [member]);
    else content.push(member);
    this.#size++;
  }

  /** Removes the last member. */
  pop(): void {
    this.removeAt(this.#size - 1);
  }

  /** Removes the member at the given slot; the last member moves there. Inverse: `restoreAt`. */
  removeAt(slot: number): void {
    const content = this.#content;
    const last = --this.#size;
    if (typeof content !== "string") {
      content.removeAt(slot);
      return;
    }
    this.#content = removePackedItem(content, slot, last, 1);
  }

  /** Restores a removed member at its former slot. */
  restoreAt(slot: number, member: ByteString): void {
    const content = this.#contentFor(member);
    if (typeof content !== "string") content.restoreAt(slot, member);
    else this.#content = restorePackedItem(content, slot, this.#size, [member]);
    this.#size++;
  }

  clone(): MemberSet {
    const copy = new MemberSet();
    copy.#size = this.#size;
    copy.#content = typeof this.#content === "string" ? this.#content : tableOfNames(this.#content.items);
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.countProduced(this.size);
  }

  canonical(): readonly unknown[] {
    return this.members;
  }

  addTo(digest: DigestMix): void {
    for (let i = digest.from; i < digest.to; i++) digest.part(this.at(i));
  }

  estimatedBytes(samples: number): number {
    const bytesOf = (count: number) => namedBytes(this.members.slice(0, count), this.#size);
    return sampledBytes(this.#size, samples, bytesOf) + tableBytes(this.#size);
  }

  get form(): "set" {
    return "set";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    for (const member of this.members) {
      writer.bytes(member);
      if (writer.isFull) yield;
    }
  }

  /** Returns the content, converted to a table if the added member is too large for a packed string. */
  #contentFor(member: ByteString): ByteString | DenseTable<ByteString> {
    const content = this.#content;
    if (typeof content !== "string") return content;
    if (this.#size < PACKED_ELEMENTS_MAX && isPackable(member)) return content;
    this.#content = tableOfNames(unpacked(content).map(copied));
    return this.#content;
  }
}

export const SET_KIND: ValueKind = {
  forms: ["set"],
  *read(reader, size) {
    const value = new MemberSet();
    for (let index = 1; index <= size; index++) {
      value.push(reader.bytes());
      if (index % ITEMS_PER_STEP === 0) yield;
    }
    return value;
  },
};
