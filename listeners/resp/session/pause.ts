/** CLIENT PAUSE: until a time all commands wait, or those that may write. */
import type { Environment } from "../../../net/process/environment.js";

export type PauseMode = "all" | "write";

export class Pause {
  readonly #environment: Environment;
  readonly #held = new Set<() => void>();
  #mode: PauseMode | null = null;
  /** `uptime` milliseconds. */
  #until = 0;
  #cancel: () => void = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** null: there is none. */
  get mode(): PauseMode | null {
    return this.#mode;
  }

  /** Connections that wait for its end. */
  get held(): number {
    return this.#held.size;
  }

  /** A pause that lasts longer, and one of all commands, stays. */
  begin(mode: PauseMode, milliseconds: number): void {
    if (this.#mode !== "all") this.#mode = mode;
    this.#until = Math.max(this.#until, this.#environment.uptime() + milliseconds);
    this.#cancel();
    this.#cancel = this.#environment.setTimer(this.#until - this.#environment.uptime(), this.end);
  }

  readonly end = (): void => {
    this.#cancel();
    this.#mode = null;
    this.#until = 0;
    const held = [...this.#held];
    this.#held.clear();
    for (const resume of held) resume();
  };

  /** Called once the pause is over. */
  hold(resume: () => void): void {
    this.#held.add(resume);
  }

  forget(resume: () => void): void {
    this.#held.delete(resume);
  }
}
