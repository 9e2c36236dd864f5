/** Snapshots of a timeline in memory: what it begins with when its oldest entries have gone. */
import type { Snapshots } from "./snapshot-files.js";

export class MemorySnapshots implements Snapshots {
  readonly #byDate = new Map<number, readonly Buffer[]>();

  list(): number[] {
    return [...this.#byDate.keys()].sort((a, b) => a - b);
  }

  read(cutAt: number): Iterable<Buffer> | null {
    return this.#byDate.get(cutAt) ?? null;
  }

  write(cutAt: number, chunks: Iterable<Buffer>): void {
    this.#byDate.set(cutAt, [...chunks]);
  }

  remove(cutAt: number): void {
    this.#byDate.delete(cutAt);
  }
}
