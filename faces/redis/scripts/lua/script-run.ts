/** One run of a script, with its caller, its protocol and its time limit. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { LuaFailure } from "./lua-machine.js";
import type { Protocol } from "./reply-conversion.js";

/** The operations that a script can perform outside its machine, with the rights of the client that called it. */
export interface ScriptCaller {
  /** Runs one command; errors are returned as replies. @throws UnitRefused  it exceeds a limit of the script's unit */
  call(argv: readonly ByteString[]): Reply;
  /** Returns whether the client may run a command, or null if there is no such command. */
  isPermitted(argv: readonly ByteString[]): boolean | null;
  /** Writes to the log. @param level  Redis's level, from 0 for debugging to 3 for warnings */
  log(level: number, text: ByteString): void;
}

export class ScriptRun {
  readonly caller: ScriptCaller;
  /** The protocol of the replies that the script receives, and of the script's own reply. */
  protocol: Protocol = 2;
  /** Whether the script was stopped because its time was up. */
  isStopped = false;
  /** Whether the script needed more memory than permitted, even if it caught the error. */
  hasExceededMemory = false;
  /** The message and the position of the error that ended the script, or null if there is none. */
  failure: { readonly text: ByteString; readonly position: string } | null = null;

  readonly #uptime: () => number;
  readonly #deadline: number;
  readonly #limitMs: number;

  /** @param limits  the time limit, and the part of it that earlier scripts of the same transaction have used */
  constructor(
    caller: ScriptCaller,
    uptime: () => number,
    { timeMs, spentMs }: { readonly timeMs: number; readonly spentMs: number },
  ) {
    this.caller = caller;
    this.#uptime = uptime;
    this.#deadline = uptime() + timeMs - spentMs;
    this.#limitMs = timeMs;
  }

  /**
   * Stops the script when its time is up. It does not raise an error in Lua, because the script could catch that error,
   * or run an endless loop in an error handler.
   */
  checkTime(position: () => string): void {
    if (this.#uptime() <= this.#deadline) return;
    this.isStopped = true;
    const text = `ERR Script stopped: it ran for more than ${this.#limitMs} ms (lua-time-limit)`;
    this.failure = { text, position: position() };
    throw new LuaFailure("the time limit was exceeded");
  }
}
