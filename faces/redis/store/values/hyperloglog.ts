/**
 * A HyperLogLog sketch, in the bytes that Redis stores: "HYLL" ‖ encoding (1) ‖ unused (3) ‖ cached estimate (8,
 * little-endian; highest bit set if there is none) ‖ registers. Dense: 16384 registers of 6 bits, lowest bits first.
 * Sparse: runs of equal registers. 00nnnnnn and 01nnnnnn nnnnnnnn are runs of n + 1 zeros, and 1vvvvvnn is a run of n +
 * 1 times the value v + 1. Runs are split and joined exactly as in Redis, so the bytes are the same. A sketch is a
 * working copy; `bytes` is the value to store. Source: redis-server 7.0, test/conformance.
 */
import { murmurHash64A } from "../../../../daemon/store/values/tables/murmur-hash.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";

const MAGIC = "HYLL";
const HEAD_BYTES = 16;
const ENCODING_AT = 4;
const CACHE_AT = 8;
/** The last byte of the cached estimate. */
const CACHE_LAST_AT = 15;
const NO_CACHE = 0x80;
const DENSE = 0;
const SPARSE = 1;
export const REGISTERS = 16384;
const REGISTER_BITS = 6;
const REGISTER_MAX = 63;
const DENSE_BYTES = HEAD_BYTES + (REGISTERS * REGISTER_BITS) / 8;
/** Redis's default of `hll-sparse-max-bytes`: a longer sketch becomes dense. */
const SPARSE_BYTES_MAX = 3000;
/** Number of hash bits that select the register. */
const INDEX_BITS = 14;
/** Number of the remaining hash bits, whose zeros are counted. */
const COUNTED_BITS = 50;
const HASH_SEED = 0xadc83b19;

/** Thrown if the runs do not cover exactly all registers. */
export class CorruptSketch extends Error {
  override readonly name = "CorruptSketch";
}

export class Sketch {
  #buffer: Buffer;

  private constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Returns a sketch that has seen no elements. */
  static empty(): Sketch {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, "latin1");
    head[ENCODING_AT] = SPARSE;
    return new Sketch(Buffer.concat([head, EMPTY_RUNS]));
  }

  /** Parses a sketch; returns undefined if the bytes are not one. */
  static of(bytes: ByteString): Sketch | undefined {
    if (bytes.length < HEAD_BYTES || !bytes.startsWith(MAGIC)) return undefined;
    const encoding = bytes.charCodeAt(ENCODING_AT);
    if (encoding > SPARSE || (encoding === DENSE && bytes.length !== DENSE_BYTES)) return undefined;
    return new Sketch(Buffer.from(bytes, "latin1"));
  }

  get bytes(): ByteString {
    return bytesOf(this.#buffer);
  }

  /** The runs of registers and their values in a sketch that is not dense: `z` and `Z` are zeros. */
  get runs(): string {
    return runsText(this.#buffer.subarray(HEAD_BYTES));
  }

  get isDense(): boolean {
    return this.#buffer[ENCODING_AT] === DENSE;
  }

  /** Adds an element. @returns whether a register has changed @throws CorruptSketch */
  add(element: ByteString): boolean {
    const { register, value } = registerOf(element);
    return this.raise(register, value);
  }

  /** Raises a register to the given value. @returns whether it was lower @throws CorruptSketch */
  raise(register: number, value: number): boolean {
    if (this.isDense) return this.#raiseDense(register, value);
    const changed = setInRuns(this.#runs(), register, value);
    if (changed === "corrupt") throw new CorruptSketch();
    if (changed === null) return false;
    if (changed === "too-large" || this.#isTooLong(changed)) {
      this.makeDense();
      return this.#raiseDense(register, value);
    }
    this.#buffer = Buffer.concat([this.#buffer.subarray(0, HEAD_BYTES), changed]);
    return true;
  }

  /** The value of each register. @throws CorruptSketch */
  get registers(): Uint8Array {
    const values = new Uint8Array(REGISTERS);
    if (!this.isDense) {
      if (!readRuns(this.#runs(), values)) throw new CorruptSketch();
      return values;
    }

    // Three bytes contain four registers.
    for (let at = HEAD_BYTES, register = 0; register < REGISTERS; at += 3, register += 4) {
      const three = this.#buffer[at]! | (this.#buffer[at + 1]! << 8) | (this.#buffer[at + 2]! << 16);
      values[register] = three & REGISTER_MAX;
      values[register + 1] = (three >> 6) & REGISTER_MAX;
      values[register + 2] = (three >> 12) & REGISTER_MAX;
      values[register + 3] = three >> 18;
    }

    return values;
  }

  /** @throws CorruptSketch */
  makeDense(): void {
    if (this.isDense) return;
    const { registers } = this;
    const dense = Buffer.alloc(DENSE_BYTES);
    dense.set(this.#buffer.subarray(0, HEAD_BYTES));
    dense[ENCODING_AT] = DENSE;
    this.#buffer = dense;
    registers.forEach((value, register) => {
      this.#raiseDense(register, value);
    });
  }

  /** Marks the cached estimate as out of date. */
  forgetEstimate(): void {
    this.#buffer[CACHE_LAST_AT] = this.#buffer[CACHE_LAST_AT]! | NO_CACHE;
  }

  /**
   * Returns the approximate number of different elements: the cached estimate, if there is one.
   * @throws CorruptSketch
   */
  estimate(): bigint {
    const cached = this.#buffer.readBigUInt64LE(CACHE_AT);
    if (cached >> 63n === 0n) return cached;
    return estimateOf(this.registers);
  }

  #runs(): Buffer {
    return this.#buffer.subarray(HEAD_BYTES);
  }

  /** Whether the runs are too long; only a change that makes the sketch longer can exceed the limit. */
  #isTooLong(runs: Buffer): boolean {
    const length = HEAD_BYTES + runs.length;
    return length > this.#buffer.length && length > SPARSE_BYTES_MAX;
  }

  #dense(register: number): number {
    const bit = register * REGISTER_BITS;
    return (this.#two(HEAD_BYTES + (bit >> 3)) >> (bit & 7)) & REGISTER_MAX;
  }

  #raiseDense(register: number, value: number): boolean {
    if (value <= this.#dense(register)) return false;
    const bit = register * REGISTER_BITS;
    const at = HEAD_BYTES + (bit >> 3);
    const two = (this.#two(at) & ~(REGISTER_MAX << (bit & 7))) | (value << (bit & 7));
    this.#buffer[at] = two;
    if (at + 1 < DENSE_BYTES) this.#buffer[at + 1] = two >> 8;
    return true;
  }

  /** Returns the two bytes that contain a register. */
  #two(at: number): number {
    return this.#buffer[at]! | ((this.#buffer[at + 1] ?? 0) << 8);
  }
}

/** Returns the register that counts an element, and the value that it must have at least. */
function registerOf(element: ByteString): { readonly register: number; readonly value: number } {
  const { hi, lo } = murmurHash64A(element, HASH_SEED);
  const counted = lo >>> INDEX_BITS;
  const zeros =
    counted !== 0 ? trailingZeros(counted) : hi !== 0 ? 32 - INDEX_BITS + trailingZeros(hi) : COUNTED_BITS;
  return { register: lo & (REGISTERS - 1), value: zeros + 1 };
}

/** Reads the bytes `from` ≤ index < `to` of a stored sketch. */
type ReadBytes = (from: number, to: number) => ByteString;

/** Whether a stored sketch is dense. @param length  its number of bytes */
export function isDenseSketch(length: number, read: ReadBytes): boolean {
  return length === DENSE_BYTES && read(0, ENCODING_AT + 1) === MAGIC + String.fromCharCode(DENSE);
}

/**
 * Adds an element to a stored dense sketch, without copying the sketch.
 * @returns whether a register has changed
 */
export function addToDense(
  element: ByteString,
  read: ReadBytes,
  write: (at: number, bytes: ByteString) => void,
): boolean {
  const { register, value } = registerOf(element);
  const bit = register * REGISTER_BITS;
  const [at, shift] = [HEAD_BYTES + (bit >> 3), bit & 7];
  const old = read(at, at + 2);
  // The last register is in a single byte.
  const two = old.charCodeAt(0) | ((old.length > 1 ? old.charCodeAt(1) : 0) << 8);
  if (value <= ((two >> shift) & REGISTER_MAX)) return false;

  const raised = (two & ~(REGISTER_MAX << shift)) | (value << shift);
  write(at, String.fromCharCode(raised & 0xff, raised >> 8).slice(0, old.length));
  const last = read(CACHE_LAST_AT, CACHE_LAST_AT + 1).charCodeAt(0);
  if ((last & NO_CACHE) === 0) write(CACHE_LAST_AT, String.fromCharCode(last | NO_CACHE));
  return true;
}

/** Returns the estimate for the values of all registers. */
export function estimateOf(registers: Uint8Array): bigint {
  const occurrences: number[] = new Array(REGISTER_MAX + 1).fill(0);
  // This loop uses an index, because an iterator would take most of the time here.
  for (let i = 0; i < registers.length; i++) occurrences[registers[i]!]!++;
  return estimate(registers.length, occurrences.slice(0, COUNTED_BITS + 2));
}

function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value);
}

const ALPHA_INFINITE = 0.5 / Math.LN2;

/** The result of a C conversion of a number outside the range of 64-bit integers. */
const BEYOND_INT64 = -(2n ** 63n);

/**
 * Estimates how many different elements a sketch has seen, from the number of occurrences of each register value.
 * Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6, with the
 * order of operations of redis-server 7.0, since the last digit depends on it.
 * @param registers the number of registers; some may have values above q + 1, but only in corrupt or forged sketches
 * @param occurrences for each register value from 0 to q + 1 the number of registers that have it
 * @returns a 64-bit integer
 */
function estimate(registers: number, occurrences: readonly number[]): bigint {
  const last = occurrences.length - 1;
  let z = registers * tau((registers - occurrences[last]!) / registers);
  for (let value = last - 1; value >= 1; value--) z = (z + occurrences[value]!) * 0.5;
  z += registers * sigma(occurrences[0]! / registers);
  const rounded = Math.round((ALPHA_INFINITE * registers * registers) / z);
  return rounded < 2 ** 63 ? BigInt(rounded) : BEYOND_INT64;
}

function sigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY;
  let power = x;
  let factor = 1;
  let sum = x;
  for (let before = Number.NaN; before !== sum; ) {
    before = sum;
    power *= power;
    sum += power * factor;
    factor += factor;
  }

  return sum;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let root = x;
  let factor = 1;
  let sum = 1 - x;
  for (let before = Number.NaN; before !== sum; ) {
    before = sum;
    root = Math.sqrt(root);
    factor *= 0.5;
    sum -= (1 - root) * (1 - root) * factor;
  }

  return sum / 3;
}

const LONG_ZEROS = 0x40;
const VALUES = 0x80;
const ZEROS_MAX = 64;
const VALUES_MAX = 4;
/** The highest value that a run can represent. */
const VALUE_MAX = 32;
/** Number of runs, beginning with the one before the change, to check for equal neighbours that can be joined. */
const JOIN_STEPS = 5;

const EMPTY_RUNS = Buffer.from(zeros(REGISTERS));

/** Sets the value of each register. @returns false if the runs do not cover exactly all registers */
function readRuns(buffer: Buffer, values: Uint8Array): boolean {
  let first = 0;
  for (let at = 0; at < buffer.length; at += bytesOfRun(buffer, at)) {
    const next = first + lengthOfRun(buffer, at);
    if (next > REGISTERS) return false;
    values.fill(valueOfRun(buffer, at), first, next);
    first = next;
  }
  return first === REGISTERS;
}

/** Returns the runs in the format of PFDEBUG. */
function runsText(buffer: Buffer): string {
  const texts: string[] = [];
  for (let at = 0; at < buffer.length; at += bytesOfRun(buffer, at)) {
    const length = lengthOfRun(buffer, at);
    const isValue = (buffer[at]! & VALUES) !== 0;
    if (isValue) texts.push(`v:${valueOfRun(buffer, at)},${length}`);
    else texts.push(`${bytesOfRun(buffer, at) === 2 ? "Z" : "z"}:${length}`);
  }
  return texts.join(" ");
}

function bytesOfRun(buffer: Buffer, at: number): number {
  return (buffer[at]! & (VALUES | LONG_ZEROS)) === LONG_ZEROS ? 2 : 1;
}

/** Returns the number of registers in a run. */
function lengthOfRun(buffer: Buffer, at: number): number {
  const byte = buffer[at]!;
  if (byte & VALUES) return (byte & (VALUES_MAX - 1)) + 1;
  if (byte & LONG_ZEROS) return (((byte & (ZEROS_MAX - 1)) << 8) | (buffer[at + 1] ?? 0)) + 1;
  return byte + 1;
}

function valueOfRun(buffer: Buffer, at: number): number {
  const byte = buffer[at]!;
  return byte & VALUES ? ((byte >> 2) & (VALUE_MAX - 1)) + 1 : 0;
}

/**
 * Raises a register.
 * @returns the new runs, null if the register was already as high, or the reason why the change is impossible
 */
function setInRuns(buffer: Buffer, register: number, value: number): Buffer | null | "too-large" | "corrupt" {
  if (value > VALUE_MAX) return "too-large";
  let first = 0;
  let before = 0;
  for (let at = 0; at < buffer.length; ) {
    const length = lengthOfRun(buffer, at);
    const end = at + bytesOfRun(buffer, at);
    if (register < first + length) {
      const old = valueOfRun(buffer, at);
      if (old >= value) return null;
      const middle = split({ old, length }, register - first, value);
      return joined(Buffer.concat([buffer.subarray(0, at), middle, buffer.subarray(end)]), before);
    }
    first += length;
    before = at;
    at = end;
  }

  return "corrupt";
}

/** Returns the runs that replace a run of which one register receives a higher value. */
function split({ old, length }: { old: number; length: number }, index: number, value: number): Buffer {
  const part = (count: number) => (count === 0 ? [] : old === 0 ? zeros(count) : [values(old, count)]);
  return Buffer.from([...part(index), values(value, 1), ...part(length - 1 - index)]);
}

function zeros(length: number): number[] {
  if (length <= ZEROS_MAX) return [length - 1];
  return [((length - 1) >> 8) | LONG_ZEROS, (length - 1) & 0xff];
}

function values(value: number, length: number): number {
  return VALUES | ((value - 1) << 2) | (length - 1);
}

/** Joins neighbouring runs of equal value, starting at an index, up to the maximum length of a run. */
function joined(buffer: Buffer, from: number): Buffer {
  let at = from;
  let end = buffer.length;
  for (let step = 0; step < JOIN_STEPS && at < end; step++) {
    const value = valueOfRun(buffer, at);
    if (value !== 0 && at + 1 < end && valueOfRun(buffer, at + 1) === value) {
      const length = lengthOfRun(buffer, at) + lengthOfRun(buffer, at + 1);
      if (length <= VALUES_MAX) {
        buffer[at + 1] = values(value, length);
        buffer.copyWithin(at, at + 1, end);
        end--;
        continue;
      }
    }
    at += bytesOfRun(buffer, at);
  }

  return buffer.subarray(0, end);
}
