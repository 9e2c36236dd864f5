/** Snapshots of a timeline in memory: what it begins with when its oldest entries have gone. */
import type { SnapshotStore, StagedSnapshot } from "./snapshot-files.js";

export class MemorySnapshots implements SnapshotStore {
  readonly #byDate = new Map<number, readonly Buffer[]>();
  readonly #room: () => number;

  /** @param room  bytes that a staged one may take now */
  constructor(room: () => number = () => Number.POSITIVE_INFINITY) {
    this.#room = room;
  }

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

  size(cutAt: number): number | null {
    return this.#byDate.get(cutAt)?.reduce((bytes, { length }) => bytes + length, 0) ?? null;
  }

  stage(cutAt: number): StagedSnapshot {
    const chunks: Buffer[] = [];
    const room = this.#room;
    return {
      cutAt,
      get room() {
        return room();
      },
      write: (chunk) => void chunks.push(Buffer.from(chunk)),
      read: () => chunks,
      commit: async () => this.write(cutAt, chunks),
      // What ends a process ends all of it.
      settle: () => {},
      discard: () => {},
    };
  }
}
