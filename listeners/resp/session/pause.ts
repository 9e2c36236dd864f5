/** CLIENT PAUSE: for a time, all commands wait, or those that may write. */
import type { Environment } from "../../../net/process/environment.js";

export type PauseMode = "all" | "write";

export class Pause {
  readonly #environment: Environment;
  readonly #held = new Set<() => void>();
  /** null: there is no pause. */
  mode: PauseMode | null = null;
  /** `uptime` milliseconds. */
  #until = 0;
  #cancel: () => void = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The number of connections that wait for its end. */
  get held(): number {
    return this.#held.size;
  }

  /** Begins a pause. A present one that lasts longer, or covers all commands, keeps doing so. */
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
  hold(resume: () => void): void {
    this.#held.add(resume);
  }

  forget(resume: () => void): void {
    this.#held.delete(resume);
  }
}
