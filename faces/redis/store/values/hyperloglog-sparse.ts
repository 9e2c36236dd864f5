/**
 * The sparse form of a sketch's registers: runs of equal values. 00nnnnnn and 01nnnnnn nnnnnnnn are runs of n + 1
 * zeros, and 1vvvvvnn is a run of n + 1 times the value v + 1. Runs are split and joined exactly as in Redis, so the
 * bytes are the same. Source: redis-server 7.0, test/conformance.
 */

export const REGISTERS = 16384;

const LONG_ZEROS = 0x40;
const VALUES = 0x80;
const ZEROS_MAX = 64;
const VALUES_MAX = 4;
/** The highest value that a run can represent. */
const VALUE_MAX = 32;
/** Number of runs, beginning with the one before the change, to check for equal neighbours that can be joined. */
const JOIN_STEPS = 5;

export const EMPTY_RUNS = Buffer.from(zeros(REGISTERS));

/** Sets the value of each register. @returns false if the runs do not cover exactly all registers */
export function readRuns(buffer: Buffer, values: Uint8Array): boolean {
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
export function runsText(buffer: Buffer): string {
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
export function setInRuns(
  buffer: Buffer,
  register: number,
  value: number,
): Buffer | null | "too-large" | "corrupt" {
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
