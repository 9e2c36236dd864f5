/** Measures the CPU time that the mirror uses. Elapsed time would include other programs on a busy machine. */

const MICROSECONDS = 1000;

export class CpuTime {
  #spent = 0;

  /** Runs synchronous work, and adds its CPU time to the total. */
  readonly timed = <Result>(work: () => Result): Result => {
    const from = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(from);
    this.#spent += (user + system) / MICROSECONDS;
    return result;
  };

  /** Returns the CPU time since the last call, in milliseconds. */
  take(): number {
    const spent = this.#spent;
    this.#spent = 0;
    return spent;
  }
}
