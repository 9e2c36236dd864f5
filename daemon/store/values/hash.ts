/**
 * A hash value: distinct fields in a dense order, each with a value. A small hash is one packed string of alternating
 * fields and values; a larger one becomes a table, and stays one.
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

const FIELDS_PACKED_MAX = PACKED_ELEMENTS_MAX / 2;

/** The content of a hash that is not small. */
interface HashTable {
  readonly fields: DenseTable<ByteString>;
  /** The values, each at the slot of its field. */
  readonly values: ByteString[];
}

/** See ObjectValue for the members that all kinds of values have. */
export class Hash implements ObjectValue {
  /** In a small hash: field, value, field, value, … */
  #content: ByteString | HashTable = "";
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get type(): "hash" {
    return "hash";
  }

  get allElements(): number {
    return this.size;
  }

  /** The fields in dense order; the caller must not change them. A small hash creates a new array for each call. */
  get fields(): readonly ByteString[] {
    const content = this.#content;
    if (typeof content !== "string") return content.fields.items;
    return unpacked(content, 0, 2);
  }

  /**
   * The values, each at its field's index; the caller must not change them. A small hash creates a new array for each
   * call.
   */
  get values(): readonly ByteString[] {
    const content = this.#content;
    if (typeof content !== "string") return content.values;
    return unpacked(content, 1, 2);
  }

  /** Returns a page of a scan. */
  page(request: PageRequest): ScanPage {
    const content = this.#content;
    return typeof content === "string" ? smallPage(this.fields, request) : content.fields.page(request);
  }

  /** Returns the field's slot, or -1. */
  find(field: ByteString): number {
    const content = this.#content;
    return typeof content === "string" ? findPacked(content, field, 2) : content.fields.find(field);
  }

  get(field: ByteString): ByteString | undefined {
    const slot = this.find(field);
    return slot < 0 ? undefined : this.valueAt(slot);
  }

  /** Returns the value at the given slot. */
  valueAt(slot: number): ByteString {
    const content = this.#content;
    if (typeof content !== "string") return content.values[slot]!;
    return elementAt(content, offsetOf(content, 2 * slot + 1));
  }

  /** Appends a new field. Inverse: `pop`. */
  push(field: ByteString, value: ByteString): void {
    const content = this.#contentWithRoomFor(1, field, value);
    if (typeof content === "string") {
      this.#content = splicePacked(content, 2 * this.#size, 0, [field, value]);
    } else {
      content.fields.push(field);
      content.values.push(value);
    }
    this.#size++;
  }

  pop(): void {
    this.removeAt(this.#size - 1);
  }

  /** Replaces the value at the given slot. Inverse: the same call with the old value. */
  setAt(slot: number, value: ByteString): void {
    const content = this.#contentWithRoomFor(0, value);
    if (typeof content === "string") this.#content = splicePacked(content, 2 * slot + 1, 1, [value]);
    else content.values[slot] = value;
  }

  /** Removes the field at the given slot; the last field moves there. Inverse: `restoreAt`. */
  removeAt(slot: number): void {
    const content = this.#content;
    const last = --this.#size;
    if (typeof content === "string") {
      this.#content = removePackedItem(content, slot, last, 2);
      return;
    }
    content.fields.removeAt(slot);
    const value = content.values.pop()!;
    if (slot < last) content.values[slot] = value;
  }

  restoreAt(slot: number, field: ByteString, value: ByteString): void {
    const content = this.#contentWithRoomFor(1, field, value);
    if (typeof content === "string") {
      this.#content = restorePackedItem(content, slot, this.#size, [field, value]);
    } else {
      content.fields.restoreAt(slot, field);
      content.values.push(content.values[slot]!);
      content.values[slot] = value;
    }
    this.#size++;
  }

  clone(): Hash {
    const copy = new Hash();
    copy.#size = this.#size;
    const content = this.#content;
    copy.#content =
      typeof content === "string"
        ? content
        : { fields: tableOfNames(content.fields.items), values: content.values.slice() };
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.countProduced(this.size);
  }

  canonical(): readonly unknown[] {
    const { fields, values } = this;
    return fields.map((field, index) => [field, values[index]]);
  }

  addTo(digest: DigestMix): void {
    const { fields, values } = this;
    for (let i = digest.from; i < digest.to; i++) {
      digest.part(fields[i] as ByteString);
      digest.part(values[i] as ByteString);
    }
  }

  estimatedBytes(samples: number): number {
    const bytesOf = (count: number) =>
      namedBytes([...this.fields.slice(0, count), ...this.values.slice(0, count)], 2 * this.#size);
    return sampledBytes(this.#size, samples, bytesOf) + tableBytes(this.#size);
  }

  get form(): "hash" {
    return "hash";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    const { fields, values } = this;
    for (const [index, field] of fields.entries()) {
      writer.bytes(field);
      writer.bytes(values[index] as ByteString);
      if (writer.isFull) yield;
    }
  }

  /**
   * Returns the content. Converts it to a table first if a packed string would have too many fields, or one of the
   * texts is too long for it.
   */
  #contentWithRoomFor(addedFields: number, text: ByteString, other: ByteString = ""): ByteString | HashTable {
    const content = this.#content;
    if (typeof content !== "string") return content;
    if (this.#size + addedFields <= FIELDS_PACKED_MAX && isPackable(text) && isPackable(other))
      return content;
    this.#content = { fields: tableOfNames(this.fields.map(copied)), values: this.values.map(copied) };
    return this.#content;
  }
}

export const HASH_KIND: ValueKind = {
  forms: ["hash"],
  *read(reader, size) {
    const value = new Hash();
    for (let index = 1; index <= size; index++) {
      value.push(reader.bytes(), reader.bytes());
      if (index % ITEMS_PER_STEP === 0) yield;
    }
    return value;
  },
};
