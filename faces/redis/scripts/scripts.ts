/** The stored scripts and their engine, which is loaded when the first script runs. */

import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { FunctionLibraries } from "./function-libraries.js";
import type { ScriptCaller } from "./lua/script-run.js";
import { readScript, type Script } from "./script.js";
import type { RunLimits, ScriptEngine } from "./script-engine.js";

const PACKAGE = "wasmoon-lua5.1";
const NOT_INSTALLED = new CommandFailure(
  `ERR scripts need the package ${PACKAGE}, which is not installed. Install it alongside dbsyncd: npm install ${PACKAGE}`,
);
/**
 * Maximum number and maximum bytes of scripts that were sent only with EVAL. Above either limit the oldest scripts are
 * dropped, because clients send the text with each EVAL.
 */
const UNNAMED_MAX = 2000;
const UNNAMED_BYTES = 16 * 1024 * 1024;

export class Scripts {
  readonly functions = new FunctionLibraries();
  readonly #uptime: () => number;
  readonly #bySha = new Map<string, Script>();
  /** Scripts by their text, because a look-up is faster than hashing the text. */
  readonly #byText = new Map<ByteString, Script>();
  /** The texts that were sent only with EVAL, oldest first. */
  readonly #unnamed = new Set<ByteString>();
  #unnamedBytes = 0;
  #engine: ScriptEngine | null = null;

  constructor(uptime: () => number) {
    this.#uptime = uptime;
  }

  /** Whether the engine is loaded, so that a script can be run immediately. */
  get isReady(): boolean {
    return this.#engine !== null;
  }

  get size(): number {
    return this.#bySha.size;
  }

  /** The total length of all scripts in bytes. */
  get textBytes(): number {
    let bytes = 0;
    for (const text of this.#byText.keys()) bytes += text.length;
    return bytes;
  }

  /** The number of bytes that Lua uses. */
  get luaBytes(): number {
    return this.#engine?.used ?? 0;
  }

  /** The engine, once it is loaded. */
  get engine(): ScriptEngine {
    return this.#engine as ScriptEngine;
  }

  /** Loads the engine. @throws CommandFailure  its package is not installed */
  async load(): Promise<void> {
    if (this.#engine !== null) return;
    const { loadEngine } = await import("./load-lua.js");
    this.#engine ??= loadEngine(this.#uptime) ?? null;
    if (this.#engine === null) throw NOT_INSTALLED;
  }

  /**
   * Restores the function libraries of a data folder, and stores all later changes there.
   * @returns null if the libraries were restored or there are none, otherwise the reason why they cannot be restored,
   * and their file
   */
  async persistFunctions(data: string, limits: RunLimits): Promise<{ reason: string; file: string } | null> {
    const { FunctionsFile } = await import("./functions-file.js");
    const file = new FunctionsFile(data);
    this.functions.persist = (payload) => file.write(payload);
    try {
      const payload = file.read();
      if (payload === null) return null;
      await this.load();
      this.functions.begin(payload, this.engine, limits);
      return null;
    } catch (problem) {
      return { reason: (problem as Error).message, file: file.path };
    }
  }

  /**
   * Stores a script.
   * @param isNamed  whether clients will refer to it by its SHA-1
   * @throws CommandFailure  the script cannot be compiled
   */
  add(text: ByteString, isNamed: boolean, limits: RunLimits): Script {
    const known = this.#byText.get(text);
    if (known !== undefined) {
      if (isNamed && this.#unnamed.delete(text)) this.#unnamedBytes -= text.length;
      return known;
    }

    const script = readScript(text);
    const mistake = (this.#engine as ScriptEngine).compile(script, limits);
    if (mistake !== null) throw new CommandFailure(mistake.text);

    this.#byText.set(text, script);
    this.#bySha.set(script.sha, script);
    if (!isNamed) this.#note(text);
    return script;
  }

  /** @param sha  in upper or lower case */
  find(sha: ByteString): Script | undefined {
    return this.#bySha.get(sha.toLowerCase());
  }

  flush(): void {
    this.#bySha.clear();
    this.#byText.clear();
    this.#unnamed.clear();
    this.#unnamedBytes = 0;
    this.#engine?.flush();
  }

  run(
    script: Script,
    keys: readonly ByteString[],
    args: readonly ByteString[],
    caller: ScriptCaller,
    limits: RunLimits,
  ): Reply {
    return (this.#engine as ScriptEngine).run(script, keys, args, caller, limits);
  }

  #note(text: ByteString): void {
    this.#unnamed.add(text);
    this.#unnamedBytes += text.length;
    // Never drop the latest script, even if it is too long.
    while (this.#unnamed.size > UNNAMED_MAX || (this.#unnamedBytes > UNNAMED_BYTES && this.#unnamed.size > 1))
      this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest = ""] = this.#unnamed;
    this.#unnamed.delete(oldest);
    this.#unnamedBytes -= oldest.length;
    const script = this.#byText.get(oldest);
    this.#byText.delete(oldest);
    if (script === undefined) return;
    this.#bySha.delete(script.sha);
    this.#engine?.forget(script.sha);
  }
}
