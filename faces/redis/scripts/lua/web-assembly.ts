/** Types for the part of WebAssembly that is used here, which Node's types omit. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** Adds pages of 64 KiB. @throws RangeError */
  grow(pages: number): number;
}

export interface WasmTable {
  readonly length: number;
  grow(entries: number): number;
  get(index: number): (...values: number[]) => number;
  set(index: number, value: unknown): void;
}

export type WasmModule = object;
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => WasmModule;
    readonly RuntimeError: new () => Error;
    readonly Instance: new (module: WasmModule, imports: WasmImports) => { readonly exports: object };
  };
};

export function compiled(bytes: Uint8Array): WasmModule {
  return new WebAssembly.Module(bytes);
}

/** Instantiates a module. @returns its exports */
export function instantiated(module: WasmModule, imports: WasmImports): object {
  return new WebAssembly.Instance(module, imports).exports;
}

/** Returns whether an error is a WebAssembly trap. */
export function isTrap(problem: unknown): boolean {
  return problem instanceof WebAssembly.RuntimeError;
}

/** A JavaScript function that Lua can call after `asWasmFunctions` has given it a WebAssembly type. */
export type HostFunction = (state: number, other: number) => number;

const I32 = 0x7f;
const FUNCTION = 0x60;
/** The function types: `(i32) -> i32` for Lua functions, and `(i32, i32) -> ()` for hooks. */
const TYPES = [2, FUNCTION, 1, I32, 1, I32, FUNCTION, 2, I32, I32, 0];
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/**
 * Converts functions to WebAssembly functions, which a table accepts. To do so, it instantiates a module that imports
 * and exports them.
 */
export function asWasmFunctions(
  functions: readonly HostFunction[],
  kind: "function" | "hook",
): readonly unknown[] {
  const type = kind === "function" ? 0 : 1;
  const names = functions.map((_, i) => String(i));
  const imports = names.flatMap((name) => [...text("h"), ...text(name), 0, type]);
  const exports = names.flatMap((name, i) => [...text(name), 0, ...leb(i)]);
  const count = leb(names.length);
  const bytes = [
    ...HEAD,
    ...section(1, TYPES),
    ...section(2, [...count, ...imports]),
    ...section(7, [...count, ...exports]),
  ];
  const hosted = Object.fromEntries(functions.map((one, i) => [String(i), one]));
  const converted = instantiated(compiled(Uint8Array.from(bytes)), { h: hosted }) as Record<string, unknown>;
  return names.map((name) => converted[name]);
}

const section = (id: number, content: readonly number[]) => [id, ...leb(content.length), ...content];

const text = (name: string) => [name.length, ...Buffer.from(name, "latin1")];

/** Encodes a number in groups of seven bits, the lowest first. */
export function leb(number: number): number[] {
  const bytes: number[] = [];
  let remaining = number;
  do {
    const low = remaining & 0x7f;
    remaining >>>= 7;
    bytes.push(remaining === 0 ? low : low | 0x80);
  } while (remaining !== 0);
  return bytes;
}
