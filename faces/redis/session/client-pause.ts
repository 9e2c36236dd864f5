import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";

type PauseMode = "all" | "write";

/** The pause of CLIENT PAUSE: for a given time, all commands wait, or only those that may write. */
export class ClientPause {
  readonly #environment: Environment;
  readonly #held = new Set<() => void>();
  /** The mode of the current pause, or null if there is no pause. */
  mode: PauseMode | null = null;
  /** The uptime in milliseconds when the pause ends. */
  #until = 0;
  #cancel: () => void = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The number of connections that wait for the end of the pause. */
  get held(): number {
    return this.#held.size;
  }

  /** Begins a pause. A current pause that lasts longer, or covers all commands, is not shortened or reduced. */
  begin(mode: PauseMode, milliseconds: number): void {
    if (this.mode !== "all") this.mode = mode;
    this.#until = Math.max(this.#until, this.#environment.uptime() + milliseconds);
    this.#cancel();
    this.#cancel = this.#environment.setTimer(this.#until - this.#environment.uptime(), this.end);
  }

  readonly end = (): void => {
    this.#cancel();
    this.mode = null;
    this.#until = 0;
    const held = [...this.#held];
    this.#held.clear();
    for (const resume of held) resume();
  };

  /** Registers a function to call when the pause ends. */
  runAtEnd(resume: () => void): void {
    this.#held.add(resume);
  }

  forget(resume: () => void): void {
    this.#held.delete(resume);
  }
}
