/**
 * Stores void writes as dead letters. A void write is a write to a decided key (a key whose writes the members vote on)
 * that the members have not decided on, so it has no effect. It is stored once its position is final, because each
 * daemon of the cluster has it, and any may have acknowledged it. Source: docs/decisions/0081-decided-keys.md.
 */
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { OpenDeadLetters } from "../../timeline/dead-letters.js";
import { writeOrderKey } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { TimelineLogger } from "../../timeline/entries/timeline-logger.js";
import type { VoidEntry, VoidUnits } from "../../timeline/fold/void-units.js";

/** The interval between two files of dead letters, in milliseconds. */
const STORE_EVERY_MS = 10_000;
const DATE_BYTES = 8;
/** The maximum number of entries that one log line names. */
const NAMED_MAX = 20;

export interface VoidSources {
  readonly timeline: { readonly voids: VoidUnits };
  /** `stablePoint`: the date before which everything is final. */
  readonly peering: { readonly stablePoint: number };
  readonly storage: Pick<Storage, "get" | "readMark" | "put" | "synced">;
  readonly environment: Pick<Environment, "clock" | "uptime">;
  readonly log: TimelineLogger;
  readonly removedDataStores: { readonly openDeadLetters: OpenDeadLetters | null };
}

export class VoidLetters {
  readonly #sources: VoidSources;
  /** The `uptime` from which the next file may be written; infinity while one is being written. */
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(sources: VoidSources) {
    this.#sources = sources;
  }

  /** Stores the void writes that have become final. Called at intervals. */
  tick(): void {
    const { timeline, peering, environment, log } = this.#sources;
    const upTo = peering.stablePoint - 1;
    if (timeline.voids.firstAt > upTo || environment.uptime() < this.#nextAt) return;
    this.#nextAt = Number.POSITIVE_INFINITY;
    this.#store(upTo)
      .catch((problem: Error) => log.error({ reason: problem.message }, NOT_STORED))
      .finally(() => {
        this.#nextAt = environment.uptime() + STORE_EVERY_MS;
      });
  }

  async #store(upTo: number): Promise<void> {
    const { timeline, storage } = this.#sources;
    // After a restart, the fold finds stored writes again: skip them.
    const from = Number(storage.readMark("void")?.readBigUInt64BE() ?? -1);
    const found = timeline.voids.upTo(upTo).filter(({ orderKey }) => orderKey.at > from);

    if (found.length > 0) {
      await this.#storeAll(found);
      const date = Buffer.alloc(DATE_BYTES);
      date.writeBigUInt64BE(BigInt(upTo));
      storage.put([], [["void", date]]);
      await storage.synced();
    }

    timeline.voids.drop(upTo);
  }

  /**
   * Writes the entries to a file of dead letters; without a data folder, only logs them.
   * @throws Error  the disk has failed; nothing is stored, and the next call tries again
   */
  async #storeAll(found: readonly VoidEntry[]): Promise<void> {
    const { storage, environment, log, removedDataStores } = this.#sources;
    const entries = found.slice(0, NAMED_MAX).map(({ orderKey }) => hexOf(orderKey.id));
    const count = found.length;
    const writer = removedDataStores.openDeadLetters?.(environment.clock()) ?? null;

    if (writer === null) {
      log.error({ count, entries }, VOID_WRITES_LOST);
      return;
    }

    try {
      for (const { orderKey, units } of found) {
        const key = writeOrderKey(orderKey);
        const value = storage.get(key);
        if (value !== null) writer.store(key, value, "void", units);
      }
      await writer.commit();
      // The entries stay in the timeline. After a crash they are found again, and stored with the same ids.
      writer.settle();
    } catch (problem) {
      writer.discard();
      throw problem;
    }

    const { file, stored, notStored } = writer.figures;
    log.error({ count, entries, file, stored, notStored }, VOID_WRITES_STORED);
  }
}

const VOID_WRITES_LOST =
  "writes to decided keys have no effect, because the members did not vote for them. Cause: a member was restored from a backup, or is compromised. Nothing is stored: only a daemon with --data stores dead letters";
const VOID_WRITES_STORED =
  "writes to decided keys have no effect, because the members did not vote for them. Cause: a member was restored from a backup, or is compromised. They are stored as dead letters in `file`: review them, and write them again, with dbsync dead-letters";
const NOT_STORED =
  "writes to decided keys that have no effect could not be stored as dead letters; the next attempt follows in 10 s";
