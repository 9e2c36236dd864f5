/**
 * Finds the package that contains Lua and compiles it, when the first script runs. Compiling takes a few milliseconds.
 *
 * Adds code to each loop of the module that regularly calls a function. The daemon checks a script's time in that
 * function. Checks between Lua instructions are not enough, because a single instruction may run almost endlessly in C,
 * for example if it matches a pattern with many `-`. Source: WebAssembly Core Specification 2.0, "Binary Format".
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { compiled, leb } from "./lua/lua-exports.js";
import { METER } from "./lua/lua-machine.js";
import { ScriptEngine } from "./script-engine.js";

const FILE = "wasmoon-lua5.1/dist/liblua5.1.wasm";

/** @returns null if the package is not installed */
export function loadEngine(uptime: () => number): ScriptEngine | null {
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve(FILE);
  } catch {
    return null;
  }
  return new ScriptEngine(compiled(withLoopChecks(readFileSync(path), METER)), uptime);
}

/** The number of iterations between two checks. That many iterations take a few milliseconds. */
const ROUNDS = 1_000_000;

const SECTION = { imports: 2, globals: 6, code: 10 } as const;
const HEAD_BYTES = 8;
const I32 = 0x7f;
const VARIABLE = 1;

/** The opcodes that are used here. */
const CODE = {
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  call: 0x10,
  drop: 0x1a,
  getGlobal: 0x23,
  setGlobal: 0x24,
  number: 0x41,
  isZero: 0x45,
  subtract: 0x6b,
} as const;
const NO_RESULT = 0x40;

/** Special values in `IMMEDIATES`, in which all other values are the numbers of an instruction's immediate operands. */
const UNKNOWN = -1;
const BYTES_4 = 4;
const BYTES_8 = 8;
const TARGETS = 16;
const TYPES = 17;
const MORE = 18;
const IMMEDIATES = new Int8Array(256).fill(UNKNOWN);
for (const [first, last, immediates] of [
  [0x00, 0x01, 0],
  [0x02, 0x04, 1],
  [0x05, 0x05, 0],
  [0x0b, 0x0b, 0],
  [0x0c, 0x0d, 1],
  [0x0e, 0x0e, TARGETS],
  [0x0f, 0x0f, 0],
  [0x10, 0x10, 1],
  [0x11, 0x11, 2],
  [0x1a, 0x1b, 0],
  [0x1c, 0x1c, TYPES],
  [0x20, 0x26, 1],
  [0x28, 0x3e, 2],
  [0x3f, 0x42, 1],
  [0x43, 0x43, BYTES_4],
  [0x44, 0x44, BYTES_8],
  [0x45, 0xc4, 0],
  [0xd0, 0xd0, 1],
  [0xd1, 0xd1, 0],
  [0xd2, 0xd2, 1],
  [0xfc, 0xfc, MORE],
] as const)
  IMMEDIATES.fill(immediates, first, last + 1);
/** The number of immediate operands of an instruction with the prefix 0xfc, by the byte after the prefix. */
const NUMBERS_OF_MORE = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];

class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error("the WebAssembly module ends too early");
    return byte;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  take(length: number): Uint8Array {
    this.at += length;
    if (this.at > this.bytes.length) throw new Error("the WebAssembly module ends too early");
    return this.bytes.subarray(this.at - length, this.at);
  }

  name(): string {
    return Buffer.from(this.take(this.number())).toString("latin1");
  }

  /** Skips an instruction. @returns its opcode */
  instruction(): number {
    const code = this.byte();
    const immediates = IMMEDIATES[code] as number;
    if (immediates === BYTES_4 || immediates === BYTES_8) this.at += immediates;
    else if (immediates === TYPES) this.at += this.number();
    else
      for (let remaining = this.#numbers(code, immediates); remaining > 0; remaining--)
        while (this.byte() >= 0x80);
    return code;
  }

  #numbers(code: number, immediates: number): number {
    if (immediates === TARGETS) return this.number() + 1;
    const numbers = immediates === MORE ? (NUMBERS_OF_MORE[this.number()] ?? UNKNOWN) : immediates;
    if (numbers === UNKNOWN) throw new Error(`unknown WebAssembly instruction: ${code}`);
    return numbers;
  }
}

/**
 * Returns the module with checks in all its loops.
 * @param functionName  the name of the imported function to call, which has no parameters and one result
 */
export function withLoopChecks(module: Uint8Array, functionName: string): Uint8Array {
  const reader = new Reader(module, HEAD_BYTES);
  const pieces: Uint8Array[] = [module.subarray(0, HEAD_BYTES)];
  let [called, meter] = [-1, new Uint8Array()];
  while (reader.at < module.length) {
    const id = reader.byte();
    let content = reader.take(reader.number());
    if (id === SECTION.imports) called = importIndex(content, functionName);
    if (id === SECTION.globals) {
      const { count, rest } = counted(content);
      meter = Uint8Array.from(meterOf(count, called));
      content = Buffer.concat([Buffer.from(leb(count + 1)), rest, Buffer.from(GLOBAL)]);
    }

    if (id === SECTION.code) {
      if (meter.length === 0) throw new Error("the WebAssembly module has no global variables");
      content = withMeter(content, meter);
    }
    pieces.push(Uint8Array.from([id, ...leb(content.length)]), content);
  }

  return Buffer.concat(pieces);
}

/** Encodes a positive number as a signed operand, whose sign bit must be 0. */
const positive = (value: number): number[] => {
  const bytes = leb(value);
  const last = bytes.pop() as number;
  return last < 0x40 ? [...bytes, last] : [...bytes, last | 0x80, 0];
};

/** The global variable that counts the iterations. */
const GLOBAL = [I32, VARIABLE, CODE.number, ...positive(ROUNDS), CODE.end];

/**
 * Encodes the code that is added to each loop. It decrements a counter in each iteration. When the counter reaches 0,
 * the code calls the function and resets the counter.
 */
function meterOf(global: number, called: number): number[] {
  if (called < 0) throw new Error("the WebAssembly module does not import the requested function");
  const [get, put] = [
    [CODE.getGlobal, ...leb(global)],
    [CODE.setGlobal, ...leb(global)],
  ] as const;
  return [
    ...[...get, CODE.number, 1, CODE.subtract, ...put],
    ...[...get, CODE.isZero, CODE.if, NO_RESULT],
    ...[CODE.call, ...leb(called), CODE.drop],
    ...[CODE.number, ...positive(ROUNDS), ...put, CODE.end],
  ];
}

function counted(content: Uint8Array): { readonly count: number; readonly rest: Uint8Array } {
  const reader = new Reader(content);
  const count = reader.number();
  return { count, rest: content.subarray(reader.at) };
}

/**
 * Returns the index of an imported function, or -1 if it is not imported.
 * @throws Error  the module imports something other than functions
 */
function importIndex(content: Uint8Array, functionName: string): number {
  const reader = new Reader(content);
  let found = -1;
  const count = reader.number();
  for (let i = 0; i < count; i++) {
    reader.name();
    if (reader.name() === functionName) found = i;
    if (reader.byte() !== 0) throw new Error("the WebAssembly module imports more than functions");
    reader.number();
  }
  return found;
}

function withMeter(content: Uint8Array, meter: Uint8Array): Uint8Array {
  const reader = new Reader(content);
  const count = reader.number();
  const pieces: Uint8Array[] = [Buffer.from(leb(count))];
  for (let i = 0; i < count; i++) {
    const body = meteredBody(reader.take(reader.number()), meter);
    pieces.push(Buffer.from(leb(body.length)), body);
  }
  return Buffer.concat(pieces);
}

/** Adds checks to a function's body, which consists of its local variables and its instructions. */
function meteredBody(body: Uint8Array, meter: Uint8Array): Uint8Array {
  const reader = new Reader(body);
  for (let kinds = reader.number(); kinds > 0; kinds--) {
    reader.number();
    reader.byte();
  }

  const pieces: Uint8Array[] = [];
  let written = 0;
  while (reader.at < body.length) {
    if (reader.instruction() !== CODE.loop) continue;
    pieces.push(body.subarray(written, reader.at), meter);
    written = reader.at;
  }

  pieces.push(body.subarray(written));
  return Buffer.concat(pieces);
}
