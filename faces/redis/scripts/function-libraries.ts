/** The function libraries of this daemon. They are not sent to other daemons. Messages: redis-server 7.0. */

import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { sealed, unsealed } from "../store/rdb/dump-payload.js";
import { MalformedRdb, RdbReader } from "../store/rdb/rdb-reader.js";
import { RdbWriter } from "../store/rdb/rdb-writer.js";
import { type FunctionLibrary, readLibrary } from "./function-loader.js";
import type { RunLimits, ScriptEngine } from "./script-engine.js";

/** The byte before each library in a dump. */
const LIBRARY = 245;

export type RestorePolicy = "FLUSH" | "APPEND" | "REPLACE";

type Libraries = ReadonlyMap<ByteString, FunctionLibrary>;

export class FunctionLibraries {
  /**
   * Stores a dump of all libraries. Called before a change takes effect; if the call throws, the libraries are not
   * changed. Null if libraries are not stored.
   */
  persist: ((payload: ByteString) => void) | null = null;
  #libraries: Libraries = new Map();

  get all(): readonly FunctionLibrary[] {
    return [...this.#libraries.values()];
  }

  get functions(): number {
    return this.all.reduce((sum, { functions }) => sum + functions.size, 0);
  }

  get bytes(): number {
    return this.all.reduce((sum, { code }) => sum + code.length, 0);
  }

  /** Returns the library that contains a function, whose name may be in upper or lower case, and its name there. */
  find(name: ByteString): { readonly library: FunctionLibrary; readonly name: ByteString } | undefined {
    const libraries = [...this.#libraries.values()];
    const library = libraries.find(({ functions }) => functions.has(name));
    if (library !== undefined) return { library, name };

    const wanted = name.toLowerCase();
    for (const library of libraries)
      for (const own of library.functions.keys())
        if (own.toLowerCase() === wanted) return { library, name: own };
    return undefined;
  }

  /** Loads a library. @returns its name @throws CommandFailure  it cannot be loaded; nothing has changed */
  load(code: ByteString, replaces: boolean, engine: ScriptEngine, limits: RunLimits): ByteString {
    const { library, remaining } = this.#loaded(this.#libraries, code, replaces, engine, limits);
    this.#change(new Map(remaining).set(library.name, library));
    return library.name;
  }

  /** Deletes a library. @throws CommandFailure */
  delete(name: ByteString): void {
    const libraries = new Map(this.#libraries);
    if (!libraries.delete(name)) throw new CommandFailure("ERR Library not found");
    this.#change(libraries);
  }

  flush(): void {
    this.#change(new Map());
  }

  /** Returns all libraries in Redis's serialization format. */
  dump(): ByteString {
    return dumpOf(this.#libraries);
  }

  /** Restores the stored libraries at the start of the daemon. @throws CommandFailure  no library was restored */
  begin(payload: ByteString, engine: ScriptEngine, limits: RunLimits): void {
    this.#libraries = this.#restored(payload, "FLUSH", engine, limits);
  }

  /** Restores all libraries of a dump, or none. @throws CommandFailure */
  restore(payload: ByteString, policy: RestorePolicy, engine: ScriptEngine, limits: RunLimits): void {
    this.#change(this.#restored(payload, policy, engine, limits));
  }

  #change(libraries: Libraries): void {
    this.persist?.(dumpOf(libraries));
    this.#libraries = libraries;
  }

  #restored(payload: ByteString, policy: RestorePolicy, engine: ScriptEngine, limits: RunLimits): Libraries {
    let libraries: Libraries = policy === "FLUSH" ? new Map() : this.#libraries;
    for (const code of codesOf(payload)) {
      const { library, remaining } = this.#loaded(libraries, code, policy === "REPLACE", engine, limits);
      libraries = new Map(remaining).set(library.name, library);
    }
    return libraries;
  }

  #loaded(
    libraries: Libraries,
    code: ByteString,
    replaces: boolean,
    engine: ScriptEngine,
    limits: RunLimits,
  ): { library: FunctionLibrary; remaining: Libraries } {
    const read = readLibrary(code);
    if (libraries.has(read.name) && !replaces)
      throw new CommandFailure(`ERR Library '${read.name}' already exists`);

    const remaining = new Map(libraries);
    remaining.delete(read.name);
    const loaded = engine.loadLibrary(read, limits);
    if ("kind" in loaded) throw new CommandFailure(loaded.text);

    const names = new Map(loaded.map(({ name }) => [name.toLowerCase(), name]));
    for (const { functions } of remaining.values())
      for (const other of functions.keys()) {
        const name = names.get(other.toLowerCase());
        if (name !== undefined) throw new CommandFailure(`ERR Function ${name} already exists`);
      }

    const functions = new Map(
      loaded.map(({ name, description, flags }) => [name, { name, description, flags }]),
    );
    return { library: { ...read, functions }, remaining };
  }
}

function dumpOf(libraries: Libraries): ByteString {
  const writer = new RdbWriter();
  for (const { code } of libraries.values()) {
    writer.raw(Buffer.from([LIBRARY]));
    writer.string(code);
  }
  return sealed(writer);
}

function codesOf(payload: ByteString): readonly ByteString[] {
  const reader = new RdbReader(unsealed(payload));
  const codes: ByteString[] = [];
  try {
    while (reader.hasMore) {
      if (reader.readByte() !== LIBRARY) throw new CommandFailure("ERR given type is not a function");
      codes.push(reader.readString());
    }
  } catch (reason) {
    if (reason instanceof MalformedRdb) throw new CommandFailure("ERR failed loading functions data");
    throw reason;
  }

  return codes;
}
