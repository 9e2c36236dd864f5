/** Logs when the daemon begins to refuse writes, and when it accepts them again. */
import type { Logger } from "pino";
import { DAEMON_STATES, type DaemonCondition } from "../../protocol/daemon-states.js";
import type { StateName } from "../../protocol/state-names.js";
import type { Service } from "../net/process/service.js";

/** Time between two checks of the state, in milliseconds. */
const CHECK_EVERY_MS = 1000;

export class StateLog implements Service {
  readonly #condition: () => DaemonCondition;
  readonly #log: Logger;
  /** The state in the last line, or in which nothing had to be logged yet. */
  #logged: StateName = "live";
  #timer: NodeJS.Timeout | null = null;

  constructor(condition: () => DaemonCondition, log: Logger) {
    this.#condition = condition;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.check(), CHECK_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Logs the state if it has changed whether, or why, writes are refused. */
  check(): void {
    const { state, reason } = this.#condition();
    const { refusal, problem } = DAEMON_STATES[state];
    if (state === this.#logged || state === "starting" || state === "stopping") return;
    const wasRefusing = DAEMON_STATES[this.#logged].refusal !== null;
    this.#logged = state;
    if (refusal !== null)
      this.#log[problem.severity === "problem" ? "warn" : "info"]({ state, reason }, "writes are refused");
    else if (wasRefusing) this.#log.info({ state }, "writes are accepted again");
  }
}
