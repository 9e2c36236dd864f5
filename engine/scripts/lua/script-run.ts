/** One run of a script: for whom, and what it has chosen. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Protocol } from "./conversions.js";
import { LuaBroken } from "./lua-machine.js";

/** What a script asks of whoever has it run. */
export interface ScriptCaller {
  /** One command; errors are replies. */
  call(argv: readonly ByteString[]): Reply;
  /** Whether the user may run a command; null: there is no such command. */
  may(argv: readonly ByteString[]): boolean | null;
  /** @param level  of Redis: 0 for debugging, 1, 2, 3 for warnings */
  log(level: number, text: ByteString): void;
}

export class ScriptRun {
  readonly caller: ScriptCaller;
  /** As commands answer the script, and it answers. */
  protocol: Protocol = 2;
  /** Whether its time was over before it had ended. */
  isStopped = false;
  /** What it failed with, and where. */
  failure: { readonly text: ByteString; readonly place: string } | null = null;

  readonly #uptime: () => number;
  readonly #deadline: number;
  readonly #time: number;

  /** @param bounds  milliseconds that it may take, with others, and those that are over */
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

  /** Ends it if its time is over: by no error of Lua's, which it could catch, or go on in what deals with errors. */
  look(place: () => string): void {
    if (this.#uptime() <= this.#deadline) return;
    this.isStopped = true;
    const text = `ERR Script stopped: it took more than ${this.#time} ms (lua-time-limit)`;
    this.failure = { text, place: place() };
    throw new LuaBroken("its time is over");
  }
}
