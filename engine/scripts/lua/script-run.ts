/** One run of a script, with its caller, its protocol and its deadline. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Protocol } from "./conversions.js";
import { LuaBroken } from "./lua-machine.js";

/** The operations that a script can call. */
export interface ScriptCaller {
  /** Runs one command; errors are returned as replies. */
  call(argv: readonly ByteString[]): Reply;
  /** Returns whether the user may run a command, or null if there is no such command. */
  may(argv: readonly ByteString[]): boolean | null;
  /** Writes to the log. @param level  Redis's level, from 0 for debugging to 3 for warnings */
  log(level: number, text: ByteString): void;
}

export class ScriptRun {
  readonly caller: ScriptCaller;
  /** The protocol of replies to the script, and of the script's own reply. */
  protocol: Protocol = 2;
  /** Whether the script was stopped because its time was up. */
  isStopped = false;
  /** The error message and its position. */
  failure: { readonly text: ByteString; readonly position: string } | null = null;

  readonly #uptime: () => number;
  readonly #deadline: number;
  readonly #time: number;

  /** @param bounds  the time limit in milliseconds, and the part of it that earlier scripts have already used */
  constructor(
    caller: ScriptCaller,
    uptime: () => number,
    { time, spent }: { readonly time: number; readonly spent: number },
  ) {
    this.caller = caller;
    this.#uptime = uptime;
    this.#deadline = uptime() + time - spent;
    this.#time = time;
  }

  /**
   * Stops the script when its time is up. It does not raise a Lua error, because the script could catch it, or loop in
   * its handler.
   */
  look(position: () => string): void {
    if (this.#uptime() <= this.#deadline) return;
    this.isStopped = true;
    const text = `ERR Script stopped: it ran for more than ${this.#time} ms (lua-time-limit)`;
    this.failure = { text, position: position() };
    throw new LuaBroken("the time limit was exceeded");
  }
}
