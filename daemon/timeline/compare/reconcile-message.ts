/**
 * The messages by which members compare their entries, as bytes: version (1) ‖ set (1) ‖ salt (1) ‖ sections. Each
 * section describes a range of time; the ranges ascend and do not touch. Numbers are base-128 with the lowest bits
 * first. A range is written in seconds from the end of the previous range; a length of 0 seconds means no end.
 */
import { MalformedFrame } from "../../../protocol/errors.js";
import { OtherProtocol } from "../../../protocol/version-2/messages-v2.js";
import type { DigestSet } from "./digest-index.js";

/**
 * The least significant 64 bits of the sums of one side's entries, for the rows of a level; empty rows are left out.
 */
export interface SumsSection extends TimeRange {
  readonly kind: "sums";
  /** Rows of 1, 64, 4096 or 262144 seconds. */
  readonly level: number;
  readonly rows: readonly SumRow[];
}

/** Sums of one side's entries of one second, grouped by the first bits of their ids; the sum of an empty group is 0. */
export interface GroupsSection extends TimeRange {
  readonly kind: "groups";
  readonly bits: number;
  /** The high and low word of each group. */
  readonly sums: Uint32Array;
}

/** All short ids of one side in the range; if bits > 0, only the short ids of the named groups. */
export interface IdsSection extends TimeRange {
  readonly kind: "ids";
  readonly bits: number;
  /** The numbers of the groups in ascending order; [0] if `bits` is 0. */
  readonly groups: readonly number[];
  /** The short ids, 8 bytes each. */
  readonly ids: Buffer;
}

/** The short ids of entries that the sender is missing and requests. */
export interface RequestsSection extends TimeRange {
  readonly kind: "requests";
  readonly ids: Buffer;
}

export type Section = SumsSection | GroupsSection | IdsSection | RequestsSection;

export interface SumRow {
  /** The second with which the row begins. */
  readonly start: number;
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

/** The seconds `from` ≤ second < `to`; to: Infinity for no end. */
interface TimeRange {
  readonly from: number;
  readonly to: number;
}

export interface Message {
  readonly set: DigestSet;
  /** Selects the 8 bytes of an id that are its short id: 0 to 3. */
  readonly salt: number;
  readonly sections: readonly Section[];
}

export const ROW_SECONDS = [1, 64, 4096, 262_144] as const;
export const SHORT_BYTES = 8;
export const GROUP_BITS_MAX = 16;
/**
 * The maximum total of sections, rows, groups and short ids in a message. Members send fewer, because a reply has at
 * most 65,536 of each. Messages with more items are rejected, because an item takes many times more bytes in memory
 * than in the message.
 */
export const ITEMS_MAX = 2 ** 19;
const VERSION = 1;
const KINDS = ["sums", "groups", "ids", "requests"] as const;
const SETS = ["ring", "data"] as const;
/** A bound beyond the last possible date of an envelope. */
const SECONDS_MAX = 2 ** 44;

export function writeMessage({ set, salt, sections }: Message): Buffer {
  const writer = new Writer();
  for (const byte of [VERSION, SETS.indexOf(set), salt]) writer.number(byte);

  let end = 0;
  for (const section of sections) {
    writer.number(KINDS.indexOf(section.kind));
    writer.number(section.from - end);
    writer.number(section.to === Infinity ? 0 : section.to - section.from);
    end = section.to;
    writeSection(writer, section);
  }

  return writer.finish();
}

function writeSection(writer: Writer, section: Section): void {
  switch (section.kind) {
    case "sums": {
      const seconds = ROW_SECONDS[section.level] as number;
      writer.number(section.level);
      writer.number(section.rows.length);
      let next = section.from;
      for (const { start, count, high, low } of section.rows) {
        writer.number((start - next) / seconds);
        writer.number(count);
        writer.word(high);
        writer.word(low);
        next = start + seconds;
      }
      return;
    }
    case "groups":
      writer.number(section.bits);
      for (const word of section.sums) writer.word(word);
      return;
    case "ids": {
      writer.number(section.bits);
      writer.number(section.groups.length);
      let next = 0;
      for (const group of section.groups) {
        writer.number(group - next);
        next = group + 1;
      }
      writer.bytes(section.ids);
      return;
    }
    case "requests":
      writer.bytes(section.ids);
  }
}

/** Parses a message. @throws MalformedFrame, OtherProtocol  the bytes are not a message that members write */
export function readMessage(bytes: Buffer): Message {
  const reader = new Reader(bytes);
  const version = reader.number();
  if (version !== VERSION)
    throw new OtherProtocol(`a comparison of entries in format ${version} instead of ${VERSION}`);

  const set = SETS[reader.number()];
  const salt = reader.number();
  if (set === undefined || salt > 3) throw reader.malformed("expected a set and a salt");

  const sections: Section[] = [];
  for (let end = 0; !reader.isAtEnd; ) {
    reader.count(1);
    const kind = KINDS[reader.number()];
    const from = end + reader.number();
    const seconds = reader.number();
    end = seconds === 0 ? Infinity : from + seconds;
    if (kind === undefined || from > SECONDS_MAX || (end > SECONDS_MAX && end !== Infinity))
      throw reader.malformed("expected a kind of section and its range of time");
    sections.push(readSection(reader, kind, { from, to: end }));
  }
  return { set, salt, sections };
}

function readSection(reader: Reader, kind: Section["kind"], range: TimeRange): Section {
  switch (kind) {
    case "sums":
      return { kind, ...range, ...readRows(reader, range) };
    case "groups": {
      const bits = readBits(reader);
      if (bits === 0 || range.to !== range.from + 1) throw reader.malformed("expected groups of one second");
      reader.count(1 << bits);
      return { kind, ...range, bits, sums: reader.words(2 << bits) };
    }
    case "ids": {
      const bits = readBits(reader);
      const groups: number[] = [];
      let next = 0;
      for (let left = reader.count(reader.number()); left > 0; left--) {
        const group = next + reader.number();
        if (group >= 1 << bits) throw reader.malformed("expected groups in rising order");
        groups.push(group);
        next = group + 1;
      }
      return { kind, ...range, bits, groups, ids: readIds(reader) };
    }
    case "requests":
      return { kind, ...range, ids: readIds(reader) };
  }
}

function readRows(reader: Reader, { from, to }: TimeRange): { level: number; rows: SumRow[] } {
  const level = reader.number();
  const seconds = ROW_SECONDS[level];
  if (seconds === undefined || from % seconds !== 0) throw reader.malformed("expected rows of a level");

  const rows: SumRow[] = [];
  let next = from;
  for (let left = reader.count(reader.number()); left > 0; left--) {
    const start = next + reader.number() * seconds;
    next = start + seconds;
    if (next > Math.min(to, SECONDS_MAX)) throw reader.malformed("expected rows within their range");
    rows.push({ start, count: reader.number(), high: reader.word(), low: reader.word() });
  }
  return { level, rows };
}

function readBits(reader: Reader): number {
  const bits = reader.number();
  if (bits > GROUP_BITS_MAX) throw reader.malformed(`expected at most ${GROUP_BITS_MAX} bits`);
  return bits;
}

function readIds(reader: Reader): Buffer {
  const ids = reader.bytes();
  if (ids.length % SHORT_BYTES !== 0) throw reader.malformed("expected short ids");
  reader.count(ids.length / SHORT_BYTES);
  return ids;
}

class Writer {
  #bytes = Buffer.allocUnsafe(4096);
  #length = 0;

  number(value: number): void {
    this.#reserve(8);
    for (; value > 0x7f; value = Math.floor(value / 0x80))
      this.#bytes[this.#length++] = (value & 0x7f) | 0x80;
    this.#bytes[this.#length++] = value;
  }

  word(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
  }

  /** Writes bytes, preceded by their length. */
  bytes(value: Buffer): void {
    this.number(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

class Reader {
  readonly #bytes: Buffer;
  #offset = 0;
  #items = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Counts items before they are allocated. @throws MalformedFrame  there are too many */
  count(items: number): number {
    this.#items += items;
    if (this.#items > ITEMS_MAX) throw this.malformed(`expected at most ${ITEMS_MAX} items`);
    return items;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 49; factor *= 0x80) {
      const byte = this.#bytes[this.#offset++];
      if (byte === undefined) throw this.malformed("expected a number");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw this.malformed("expected a number of at most 49 bits");
  }

  word(): number {
    this.#expect(4);
    const value = this.#bytes.readUInt32BE(this.#offset);
    this.#offset += 4;
    return value;
  }

  words(count: number): Uint32Array {
    this.#expect(4 * count);
    return Uint32Array.from({ length: count }, () => this.word());
  }

  bytes(): Buffer {
    const length = this.number();
    this.#expect(length);
    return this.#bytes.subarray(this.#offset, (this.#offset += length));
  }

  malformed(problem: string): MalformedFrame {
    return new MalformedFrame(problem, this.#offset);
  }

  #expect(bytes: number): void {
    if (bytes > this.#bytes.length - this.#offset) throw this.malformed(`expected ${bytes} bytes more`);
  }
}
