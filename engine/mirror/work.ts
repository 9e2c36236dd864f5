/** How much of the processor the mirror takes: not by the clock, since on a busy machine others take most of that. */

const MICROSECONDS = 1000;

export class Work {
  #spent = 0;

  /** Does what nothing else is done beside, and counts it. */
  readonly timed = <Result>(work: () => Result): Result => {
    const from = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(from);
    this.#spent += (user + system) / MICROSECONDS;
    return result;
  };

  /** Milliseconds since the last call. */
  take(): number {
    const spent = this.#spent;
    this.#spent = 0;
    return spent;
  }
}
