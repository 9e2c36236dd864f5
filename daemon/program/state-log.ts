/** Logs when the daemon is ready, when it begins to refuse writes, and when it accepts them again. */
import type { Logger } from "pino";
import { DAEMON_STATES, type DaemonCondition } from "../../protocol/daemon-states.js";
import type { StateName } from "../../protocol/state-names.js";
import type { Service } from "../net/process/service.js";

/** Time between two checks of the state, in milliseconds. */
const CHECK_EVERY_MS = 1000;

/** The first pause until the state is checked again if the daemon is not ready after its start, in milliseconds. */
const FIRST_CHECK_MS = 10;

export class StateLog implements Service {
  readonly #condition: () => DaemonCondition;
  readonly #log: Logger;
  /** The state in the last line, or in which nothing had to be logged yet. */
  #logged: StateName = "live";
  /** The end of the line that the daemon is ready, or null if this line is not expected. */
  #firstStep: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #readyTimer: NodeJS.Timeout | null = null;

  constructor(condition: () => DaemonCondition, log: Logger) {
    this.#condition = condition;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.logChange(), CHECK_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (this.#readyTimer !== null) clearTimeout(this.#readyTimer);
    this.#firstStep = null;
  }

  /**
   * Logs that the daemon is ready, as soon as its state permits this.
   * @param firstStep  the end of the line: how a client can test the daemon
   */
  started(firstStep: string): void {
    this.#firstStep = firstStep;
    this.#checkReady(FIRST_CHECK_MS);
  }

  #checkReady(pause: number): void {
    const firstStep = this.#firstStep;
    if (firstStep === null) return;
    const { state } = this.#condition();
    if (DAEMON_STATES[state].isHealthy || state === "loading-documents") {
      const isReady = state !== "loading-documents";
      this.#log.info(`${isReady ? "ready" : "started, but not ready for JSON clients yet"}${firstStep}`);
      this.#firstStep = null;
    } else {
      const next = Math.min(2 * pause, CHECK_EVERY_MS);
      this.#readyTimer = setTimeout(() => this.#checkReady(next), pause).unref();
    }
  }

  /** Logs the state if it has changed whether, or why, writes are refused. */
  logChange(): void {
    const { state, reason } = this.#condition();
    const { refusal, problem } = DAEMON_STATES[state];
    if (state === this.#logged || state === "starting" || state === "stopping") return;
    const wasRefusing = DAEMON_STATES[this.#logged].refusal !== null;
    this.#logged = state;
    if (refusal !== null)
      this.#log[problem.severity === "problem" ? "warn" : "info"]({ state, reason }, "writes are refused");
    else if (wasRefusing && this.#firstStep === null) this.#log.info({ state }, "writes are accepted again");
  }
}
