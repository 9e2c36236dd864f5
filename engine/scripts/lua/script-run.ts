/** One run of a script: its caller, its protocol and its deadline. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Protocol } from "./conversions.js";
import { LuaBroken } from "./lua-machine.js";

/** The operations that a script calls. */
export interface ScriptCaller {
  /** Runs one command; errors are replies. */
  call(argv: readonly ByteString[]): Reply;
  /** Returns whether the user may run a command; null: there is no such command. */
  may(argv: readonly ByteString[]): boolean | null;
  /** Writes to the log. @param level  Redis's: 0 for debugging, 1, 2, 3 for warnings */
  log(level: number, text: ByteString): void;
}

export class ScriptRun {
  readonly caller: ScriptCaller;
  /** The protocol of replies to the script, and of its own. */
  protocol: Protocol = 2;
  /** Whether its time was over before it ended. */
  isStopped = false;
  /** The error and its position. */
  failure: { readonly text: ByteString; readonly position: string } | null = null;

  readonly #uptime: () => number;
  readonly #deadline: number;
  readonly #time: number;

  /** @param bounds  milliseconds that it may take, earlier scripts included, and those that have passed */
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

  /** Stops the script when its time is up. Does not raise a Lua error, because the script could catch it, or loop in its handler. */
  look(position: () => string): void {
    if (this.#uptime() <= this.#deadline) return;
    this.isStopped = true;
    const text = `ERR Script stopped: it took more than ${this.#time} ms (lua-time-limit)`;
    this.failure = { text, position: position() };
    throw new LuaBroken("its time is over");
  }
}
