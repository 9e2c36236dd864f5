/**
 * Measures the CPU time that the mirror takes: the clock would include the time of other programs on a busy machine.
 */

const MICROSECONDS = 1000;

export class Work {
  #spent = 0;

  /** Runs synchronous work, and adds its CPU time. */
  readonly timed = <Result>(work: () => Result): Result => {
    const from = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(from);
    this.#spent += (user + system) / MICROSECONDS;
    return result;
  };

  /** Returns the milliseconds since the last call. */
  take(): number {
    const spent = this.#spent;
    this.#spent = 0;
    return spent;
  }
}
