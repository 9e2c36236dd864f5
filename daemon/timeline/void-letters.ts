/**
 * Stores void writes as dead letters once their positions are final. Each daemon stores them, because none can know
 * which one has acknowledged them. Source: docs/decisions/0081-decided-keys.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { commitDeadLetters, type DeadLetterToStore, type OpenDeadLetters } from "./dead-letters.js";
import type { DiskFailure } from "./disk-failure.js";
import { type OrderKey, writeOrderKey } from "./entries/entry.js";
import { dateMark, markedDate } from "./entries/storage.js";
import type { VoidEntry, VoidUnits } from "./fold/void-units.js";
import type { ServingFold } from "./serving-fold.js";
import { LaterSteps, type TimelineParts } from "./timeline-environment.js";

/** The interval between two files of dead letters, in milliseconds: a member that lies must not cause many files. */
const STORE_EVERY_MS = 600_000;
/** The interval between two attempts if dead letters cannot be stored, in milliseconds. */
const RETRY_EVERY_MS = 10_000;
/**
 * The maximum time for which snapshots wait until void writes are final, in milliseconds: a member that is down, or
 * lies, can prevent that for as long as it likes.
 */
const WAIT_MS = 600_000;
/**
 * The part of the room for dead letters above which no void writes are added. A member that lies can send as many as it
 * likes, and the rest must remain for entries that a snapshot does not contain.
 */
const SHARE = 0.5;
/** The maximum number of entries that a line of the log names. */
const NAMED_MAX = 20;

export class VoidLetters {
  readonly #parts: TimelineParts;
  readonly #folding: ServingFold;
  readonly #failure: DiskFailure;
  readonly #later: LaterSteps;
  /** The date up to which void writes are stored, milliseconds since 1970; null: the storage has no such mark. */
  #storedTo: number | null;
  /** The `uptime` from which the next file may be written. */
  #nextAt = Number.NEGATIVE_INFINITY;
  /** The date up to which everything was final, and in the fold, at the last check; milliseconds since 1970. */
  #finalTo = -1;
  /** The `firstAt` of the void units at the last check, and the `uptime` until which they wait to become final. */
  #firstAt = Number.NEGATIVE_INFINITY;
  #waitsUntil = Number.POSITIVE_INFINITY;
  /** The ids of entries that were stored as `possible`, until they are final. */
  readonly #possible = new Map<ByteString, number>();
  /** The latest date of a forgotten entry that the log has reported. */
  #reportedTo = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;

  constructor(parts: TimelineParts, folding: ServingFold, failure: DiskFailure) {
    this.#later = new LaterSteps(parts.soon);
    this.#parts = { ...parts, soon: this.#later.soon };
    this.#folding = folding;
    this.#failure = failure;
    this.#storedTo = markedDate(parts.storage, "void");
  }

  /** Stops without finishing: the next start finds the void writes again. */
  stop(): void {
    this.#later.stop();
  }

  /** Resolves when no dead letters are being stored. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /**
   * The date up to which a snapshot may contain everything, milliseconds since 1970: a start that begins with it would
   * not find earlier void writes again.
   */
  get snapshotsTo(): number {
    return this.#storedTo === null ? Number.POSITIVE_INFINITY : this.#voids.firstAt - 1;
  }

  get #voids(): VoidUnits {
    return this.#folding.fold.voids;
  }

  /**
   * Stores the void writes that have become final. Called at intervals.
   * @param finalBefore  everything dated before it is final, milliseconds since 1970; 0: nothing is known to be
   */
  tick(finalBefore: number): void {
    const { storage, uptime, openDeadLetters: open } = this.#parts;
    // A daemon without a data folder is no member, and the members store them.
    if (open === null) this.#voids.drop(Number.POSITIVE_INFINITY);
    if (open === null || this.#running !== null) return;
    if (!this.#folding.isServing || this.#failure.reason !== null) return;

    if (this.#folding.isFolded(finalBefore - 1)) this.#finalTo = Math.max(this.#finalTo, finalBefore - 1);
    const finalTo = this.#finalTo;
    if (this.#storedTo === null) {
      // What was final before this daemon's first report is a dead letter of the members that reported then.
      if (finalTo < 0) return;
      storage.put([], [dateMark("void", finalTo)]);
      this.#storedTo = finalTo;
    }

    // After a start or a refold, the fold also has those that are stored.
    this.#voids.drop(this.#storedTo);
    const { firstAt } = this.#voids;
    const isNext = firstAt > this.#firstAt || this.#firstAt === Number.POSITIVE_INFINITY;
    if (isNext) this.#waitsUntil = uptime() + WAIT_MS;
    this.#firstAt = firstAt;
    const isStalled = firstAt > finalTo && uptime() >= this.#waitsUntil;
    const dueTo = isStalled ? this.#folding.fold.cutAt : finalTo;
    if (firstAt > dueTo || uptime() < this.#nextAt) return;

    const storedTo = Math.max(this.#storedTo, finalTo);
    this.#running = this.#store(open, { storedTo, dueTo }).then(
      () => this.#stored(STORE_EVERY_MS),
      ({ message }: Error) => {
        this.#stored(RETRY_EVERY_MS);
        if (!this.#later.isStopped) this.#parts.log.error({ reason: message }, NOT_STORED);
      },
    );
  }

  #stored(nextInMs: number): void {
    this.#running = null;
    this.#nextAt = this.#parts.uptime() + nextInMs;
  }

  /**
   * @param storedTo  the date up to which all are stored afterwards, because they are final; milliseconds since 1970
   * @param dueTo  the date up to which they are stored now, as `possible` if they are not final
   * @throws Error  the disk has failed; the next start, or the next call, finds these void writes again
   */
  async #store(open: OpenDeadLetters, { storedTo, dueTo }: Due): Promise<void> {
    const { storage, log } = this.#parts;
    const voids = this.#voids;
    const before = this.#storedTo ?? 0;
    const found = new FoundLetters(voids.upTo(dueTo), storedTo, this.#possible);

    const writer = open(Math.floor(this.#parts.clock()), SHARE);
    const { mark, gone } = await commitDeadLetters(storage, writer, found, this.#parts);
    if (this.#later.isStopped) return writer.discard();
    const date = dateMark("void", storedTo);
    storage.put([], mark === null ? [date] : [date, mark]);
    await storage.synced();
    writer.settle();

    const isIncomplete = voids.forgottenTo > Math.max(before, this.#reportedTo);
    this.#reportedTo = voids.forgottenTo;
    this.#storedTo = storedTo;
    voids.drop(dueTo);
    for (const { id, at } of found.possible) this.#possible.set(id, at);
    for (const [id, at] of this.#possible) if (at <= storedTo) this.#possible.delete(id);

    const { count, named } = found;
    const { file, stored, notStored } = writer.figures;
    if (count > 0) log.error({ count, entries: named }, VOID);
    if (stored > 0) log.warn({ kept: stored, file }, KEPT);
    if (notStored > 0) log.error({ left: notStored }, NO_ROOM);
    if (gone > 0) log.error({ left: gone }, DAMAGED);
    if (isIncomplete) log.error({ count }, TOO_MANY);
  }
}

interface Due {
  readonly storedTo: number;
  readonly dueTo: number;
}

/** The dead letters of void entries, which are counted as they are taken, without those stored as `possible`. */
class FoundLetters implements Iterable<DeadLetterToStore> {
  count = 0;
  /** The ids of the first entries, hexadecimal. */
  readonly named: string[] = [];
  /** The order keys of those that are not final. */
  readonly possible: OrderKey[] = [];
  readonly #found: Iterable<VoidEntry>;
  readonly #finalTo: number;
  readonly #known: ReadonlyMap<ByteString, number>;

  /** @param known  the dates of entries that were stored as `possible`, by id */
  constructor(found: Iterable<VoidEntry>, finalTo: number, known: ReadonlyMap<ByteString, number>) {
    this.#found = found;
    this.#finalTo = finalTo;
    this.#known = known;
  }

  *[Symbol.iterator](): Generator<DeadLetterToStore> {
    for (const { orderKey, units } of this.#found) {
      const { at, id } = orderKey;
      if (this.#known.has(id)) continue;
      if (this.count++ < NAMED_MAX) this.named.push(hexOf(id));
      if (at > this.#finalTo) this.possible.push(orderKey);
      yield { orderKey: writeOrderKey(orderKey), reason: at > this.#finalTo ? "possible" : "void", units };
    }
  }
}

const VOID =
  "these entries write decided keys, and the members have not decided on them, so they have no effect. Probable cause: a daemon was restored from an old copy of its folder, or is compromised";
const KEPT =
  "they are stored as dead letters in `file`, also by the other members: dbsync dead-letters lists them, and writes them again";
const NO_ROOM =
  "`left` more are not stored as dead letters, because these may take only half of --max-dead-letter-bytes, together with all other dead letters: they are only in the timeline (dbsync log). Raise the limit, or write dead letters again and remove them";
const DAMAGED = "`left` of them are not stored as dead letters, because they are damaged here";
const TOO_MANY =
  "there were more void writes than this daemon remembers, so some may not be stored as dead letters: they are only in the timeline (dbsync log)";
const NOT_STORED =
  "writes to decided keys that have no effect could not be stored as dead letters; the next attempt follows in 10 s";
