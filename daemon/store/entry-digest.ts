/**
 * A digest of one key with its value, with which daemons compare their states. It is fast and the same everywhere, but
 * does not protect against forgery. The digest of a large value covers only a part, which the salt selects, so each
 * comparison checks a different part.
 */

import { Document } from "../../faces/json/store/values/document.js";
import { Collection } from "../../faces/mongo/store/values/collection.js";
import { indexBytes } from "../../faces/mongo/store/values/collection-index.js";
import type { Stream, StreamMarks } from "../../faces/redis/store/values/streams/stream.js";
import { STREAM_ID_MAX, streamIdText } from "../../faces/redis/store/values/streams/stream-id.js";
import { domainText } from "../../faces/sql/store/values/domain.js";
import { Table } from "../../faces/sql/store/values/table.js";
import { extrasText } from "../../faces/sql/store/values/table-column.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Entry } from "./keyspace/keyspace.js";
import { Hash } from "./values/hash.js";
import { List } from "./values/list.js";
import { MemberSet } from "./values/member-set.js";
import { SortedSet } from "./values/sorted-set.js";
import { typeName, type Value } from "./values/value.js";

/** Maximum number of bytes of a string to sample. */
const BYTES_MAX = 65_536;
/** Maximum number of elements of any other value to sample. */
const ELEMENTS_MAX = 1024;
/**
 * Approximate number of bytes of all sampled elements. Each element contributes an equal share, or its full length if
 * that is shorter. The number is limited because a digest is computed in one step.
 */
const VALUE_BYTES_MAX = 2 ** 20;
const ELEMENT_BYTES_MIN = 1024;

/** A 64-bit number as two unsigned halves. */
export interface Digest64 {
  readonly high: number;
  readonly low: number;
}

/** Returns the hash that distributes keys over buckets: unsigned, 32 bits. */
export function hashOfKey(db: number, key: ByteString, salt: number): number {
  const mix = new Mix(salt);
  mix.number(db);
  mix.text(key);
  return mix.digest.high;
}

/**
 * Returns the digest of a key's name, type, value, expiry time and last writer. The consumer groups of a stream are
 * left out, because changes to them do not change the key's last writer.
 */
export function digestOfEntry(db: number, { key, value, expire, writer }: Entry, salt: number): Digest64 {
  const mix = new Mix(salt);
  mix.number(db);
  mix.text(key);
  mix.number(expire);
  mix.text(writer);
  mix.text(typeName(value));
  mixValue(mix, value, salt);
  return mix.digest;
}

function mixValue(mix: Mix, value: Value, salt: number): void {
  if (typeof value === "string") {
    mix.number(value.length);
    const from = partOf(value.length, BYTES_MAX, salt);
    mix.text(value.length <= BYTES_MAX ? value : value.slice(from, from + BYTES_MAX));
    return;
  }
  mix.number(value.size);
  mix.looksAt(value.size);
  const from = partOf(value.size, ELEMENTS_MAX, salt);
  const to = Math.min(value.size, from + ELEMENTS_MAX);
  if (value instanceof List) for (const element of value.slice(from, to)) mix.part(element);
  else if (value instanceof MemberSet) for (let i = from; i < to; i++) mix.part(value.at(i));
  else if (value instanceof Hash) mixHash(mix, value, from, to);
  else if (value instanceof SortedSet)
    for (const [member, score] of value.range(from, to)) {
      mix.part(member);
      mix.text(String(score));
    }
  else if (value instanceof Table) mixTable(mix, value, from, to);
  else if (value instanceof Document) mixDocument(mix, value);
  else if (value instanceof Collection) {
    for (const spec of value.specs) mix.text(indexBytes(spec));
    for (const document of first(value.documents())) mix.part(document);
  } else mixStream(mix, value, salt);
}

/** Returns the offset of the part that a salt selects. */
const partOf = (size: number, max: number, salt: number) =>
  size <= max ? 0 : (salt % Math.ceil(size / max)) * max;

function mixHash(mix: Mix, { fields, values }: Hash, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    mix.part(fields[i] as ByteString);
    mix.part(values[i] as ByteString);
  }
}

function mixTable(mix: Mix, { columns, rows }: Table, from: number, to: number): void {
  for (const column of columns) {
    mix.text(column.name);
    mix.text(domainText(column.domain));
    mix.text(String(column.uniqueness));
    const extras = extrasText(column);
    if (extras !== "") mix.text(extras);
  }
  for (let i = from; i < to; i++) mix.part(JSON.stringify(rows[i]));
}

function mixDocument(mix: Mix, document: Document): void {
  mix.text(document.born);
  mix.number(document.next);
  for (const field of document.indexed) mix.text(field);
  for (const [key, text] of first(document.entries())) {
    mix.part(key);
    mix.part(text);
    mix.number(document.expireOf(key) ?? 0);
  }
}

function mixStream(mix: Mix, stream: Stream, salt: number): void {
  const { lastId, maxDeletedId, entriesAdded }: StreamMarks = stream.marks;
  mix.text(`${lastId} ${maxDeletedId} ${entriesAdded}`);
  const entries = salt % 2 === 0 ? stream.range(0n, STREAM_ID_MAX) : stream.reverseRange(0n, STREAM_ID_MAX);
  for (const { id, fields } of first(entries)) {
    mix.text(streamIdText(id));
    for (const field of fields) mix.part(field);
  }
}

function* first<T>(items: Iterable<T>): Generator<T> {
  let remaining = ELEMENTS_MAX;
  for (const item of items) {
    if (remaining-- === 0) return;
    yield item;
  }
}

/** A hash with two lanes of 32 bits. */
class Mix {
  #one: number;
  #other: number;
  /**
   * Selects the sampled part of each long element. It is mixed from the salt: if the salt itself selected both the
   * sampled elements and their parts, the part of an element would depend on which elements are sampled.
   */
  readonly #elementSalt: number;
  #elementBytes = BYTES_MAX;

  constructor(salt: number) {
    this.#elementSalt = Math.imul(salt, 0x9e3779b1) >>> 16;
    this.#one = Math.imul(salt, 0x9e3779b1) ^ 0x2545f491;
    this.#other = Math.imul(salt, 0x85ebca6b) ^ 0x735a2d97;
  }

  /** Adds a text with its length, so that two texts and their concatenation have different digests. */
  text(bytes: ByteString): void {
    let one = this.#one ^ bytes.length;
    let other = this.#other;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes.charCodeAt(i);
      one = Math.imul(one ^ byte, 0x5bd1e995);
      one ^= one >>> 15;
      other = Math.imul((other << 5) ^ (other >>> 27) ^ byte, 0x27d4eb2f);
    }
    this.#one = Math.imul(one, 0x21f0aaad);
    this.#other = Math.imul(other ^ bytes.length, 0x9e3779b1);
  }

  /** Begins a value with the given number of elements. */
  looksAt(size: number): void {
    this.#elementBytes = Math.max(
      ELEMENT_BYTES_MIN,
      Math.floor(VALUE_BYTES_MAX / Math.min(size, ELEMENTS_MAX)),
    );
  }

  /** Adds an element or, if the element is long, the part of it that the salt selects. */
  part(bytes: ByteString): void {
    const max = this.#elementBytes;
    if (bytes.length <= max) {
      this.text(bytes);
      return;
    }
    const from = partOf(bytes.length, max, this.#elementSalt);
    this.number(bytes.length);
    this.text(bytes.slice(from, from + max));
  }

  /** Adds an integer below 2⁵³. */
  number(value: number): void {
    const high = Math.floor(value / 2 ** 32);
    this.#one = Math.imul(this.#one ^ value ^ (this.#one >>> 15), 0x5bd1e995) ^ high;
    this.#other = Math.imul((this.#other << 5) ^ (this.#other >>> 27) ^ value, 0x27d4eb2f) + high;
  }

  get digest(): Digest64 {
    return { high: finished(this.#one), low: finished(this.#other ^ this.#one) };
  }
}

function finished(lane: number): number {
  let hash = Math.imul(lane ^ (lane >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return (hash ^ (hash >>> 15)) >>> 0;
}
