/**
 * Snapshots of a timeline in memory. Once its oldest entries have been removed, the timeline begins with a snapshot.
 */
import { bytesOf } from "../../../protocol/byte-string.js";
import type { SnapshotSeal, SnapshotStore, StagedSnapshot } from "./snapshot-files.js";
import { SEAL_BYTES } from "./snapshot-stream.js";

export class MemorySnapshots implements SnapshotStore {
  readonly #byDate = new Map<number, readonly Buffer[]>();
  readonly #room: () => number;

  /** @param room  returns how many bytes a staged snapshot may use now */
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

  sealOf(cutAt: number): SnapshotSeal | null {
    const chunks = this.#byDate.get(cutAt);
    return chunks === undefined ? null : sealOfChunks(chunks);
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
      get seal() {
        return sealOfChunks(chunks);
      },
      commit: async () => {
        this.write(cutAt, chunks);
      },
      // A crash loses the memory completely, so there is nothing to settle.
      settle: () => {},
      discard: () => {},
    };
  }
}

function sealOfChunks(chunks: readonly Buffer[]): SnapshotSeal {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  let end: Buffer = Buffer.alloc(0);
  for (let i = chunks.length - 1; i >= 0 && end.length < SEAL_BYTES; i--)
    end = Buffer.concat([chunks[i] as Buffer, end]);
  return { bytes, seal: bytesOf(end.subarray(-SEAL_BYTES)) };
}
