/**
 * The timeline: takes entries, each once; keeps them; and has the state that they make. Disk, clock, hash and turns of
 * the event loop are handed in. Source: docs/architecture.md "How daemons agree".
 *   take (first-hand) ─┐                      ┌─ fold.merge ─► answers
 *   receive (members) ─┴─► known? ─► keep ──►─┤
 *                                             └─ waiting (ahead of the clock, late) ─► merge or refold
 */
import type { ByteString } from "../protocol/byte-string.js";
import type { EnvelopeDate } from "../protocol/version-2/messages-v2.js";
import type { Database } from "../store/database.js";
import type { KeyRing } from "../store/key-ring.js";
import { Archive } from "./archive.js";
import type { DigestIndex } from "./compare/digest-index.js";
import { DamagedEntries } from "./damaged-entries.js";
import { type Entry, type Place, placeOf, readPlace } from "./entries/entry.js";
import { FAILED } from "./entries/timeline-log.js";
import { admit } from "./fold/admission.js";
import type { Fold, FoldedEntry } from "./fold/fold.js";
import { trim } from "./fold/trim.js";
import { Forgotten } from "./forgotten.js";
import { Handover } from "./handover.js";
import { Horizon } from "./horizon.js";
import { LateMerges, REDO_MOST, UNITS_A_TURN } from "./late-merges.js";
import { planLateRefold } from "./late-refold.js";
import { Refolding } from "./refolding.js";
import { Retention } from "./retention.js";
import { SnapshotMaking } from "./snapshots/snapshot-making.js";
import { appliedOf, heldTo, reaches, standstillOf } from "./standstill.js";
import { StateDigests } from "./state-digests.js";
import type { TimelineFigures } from "./timeline-figures.js";
import type { Taking, TimelineParts } from "./timeline-owner.js";
import { Waiting } from "./waiting.js";
import { Watermark } from "./watermark.js";

/** Keys that have expired, dropped in one tick. */
const EXPIRED_A_TICK = 500;

export class Timeline {
  /** Why nothing is taken any more; null: all is well. */
  failure: string | null = null;
  /** Whether the clock is known to be wrong: then it moves nothing. */
  isSkewed = false;
  readonly #parts: TimelineParts;
  readonly #watermark: Watermark;
  readonly #horizon: Horizon;
  readonly #archive: Archive;
  readonly waiting = new Waiting();
  readonly #late: LateMerges;
  readonly #retention: Retention;
  readonly #refolding: Refolding;
  readonly #making: SnapshotMaking | null;
  /** For members that lack forgotten entries. */
  readonly handover: Handover;
  readonly forgotten: Forgotten;
  readonly damagedEntries: DamagedEntries;
  readonly digests: StateDigests;
  #fold: Fold;
  #newest: EnvelopeDate = { at: 0, seq: 0 };
  #isOpen = false;

  constructor(parts: TimelineParts) {
    this.#parts = parts;
    this.forgotten = new Forgotten(parts);
    const { storage, hash, log, limits, owner, snapshots } = parts;
    this.#watermark = new Watermark({ ...parts, failed: this.#fail, isStill: () => this.#fold.end !== null });
    this.#horizon = new Horizon({ ...parts, watermark: this.#watermark, tailMs: limits.tailMs });
    this.#making =
      snapshots === null ? null : new SnapshotMaking({ ...parts, damaged: this.read }, snapshots);
    this.#archive = new Archive({
      storage,
      hash,
      log,
      failed: this.#fail,
      flushed: (entries, from) => {
        this.#making?.grown(entries.length);
        owner.flushed(entries, from);
      },
    });
    this.#retention = new Retention(limits, this.#archive, this.#making);
    const serving = { ...parts, isServing: this.#isServing };
    const folding = { ...serving, making: this.#making, archive: this.#archive, waiting: this.waiting };
    this.#refolding = new Refolding({ ...folding, damaged: (it) => this.#archive.damaged(it, this.#isOpen) });
    this.#late = new LateMerges({
      ...folding,
      fold: () => (this.#isServing() ? this.#fold : null),
      merge: (entries) => this.#merge(entries),
      merged: (entries, answered) => owner.folded(entries, appliedOf(this.#fold, answered)),
      refold: (late) => this.#refold(late),
    });
    this.handover = new Handover({
      ...folding,
      retention: this.#retention,
      failed: this.#fail,
      isRefolding: () => this.#refolding.isRunning && this.failure === null,
      setOpen: (isOpen) => void (this.#isOpen = isOpen),
      begin: (index) => this.open(index),
    });
    this.damagedEntries = new DamagedEntries({ ...folding, refold: () => this.#late.refoldAll() });
    this.#fold = this.#refolding.empty();
    this.digests = new StateDigests({ ...folding, fold: () => this.#fold });
  }

  /** Folds what the disk has, in slices. @param index  empty */
  async open(index = this.index): Promise<void> {
    const last = this.#parts.storage.last();
    this.forgotten.opened(last !== null || this.#watermark.value > 0);
    const newest = last === null ? 0 : readPlace(last).at;
    const horizon = Math.max(this.#horizon.of(newest), this.#making?.newest ?? -1);
    // What was taken before a restart is there after it, whatever the clock says now.
    const until = Math.max(horizon, this.#horizon.dueUntil, this.#watermark.takenTo);
    const found = (entry: Entry) => {
      if (entry.envelope.at > horizon) this.#archive.found(entry);
      this.#making?.grown(1);
    };
    const fold = await this.#refolding.run({ ...this.#parts.limits, index, horizon, until, found });
    this.#archive.index = index;
    const gaps = this.#refolding.takeGaps();
    if (gaps.size > 0) this.forgotten.some();
    this.#archive.refolded(gaps, until);
    this.#swap(fold, this.waiting.takeAll());
    this.waiting.addFuture(this.#archive.findAfter(until));
    this.#isOpen = true;
  }

  /** Resolves when everything is on disk. */
  async stop(): Promise<void> {
    this.#isOpen = false;
    for (const part of [this.#refolding, this.handover, this.damagedEntries]) part.stop();
    if (this.failure === null) await this.#parts.storage.flushed().catch(() => {});
    await this.#making?.stop();
    await this.#parts.storage.close();
  }

  get database(): Database {
    return this.#fold.database;
  }

  get ring(): KeyRing {
    return this.#fold.ring;
  }

  /** What is on disk, for comparison with members. */
  get index(): DigestIndex {
    return this.#archive.index;
  }

  /** Nothing dated at or before it is kept any more; -1: everything is. */
  get prunedTo(): number {
    return this.#archive.prunedTo;
  }

  get newest(): EnvelopeDate {
    return this.#newest;
  }

  /** Nothing dated at or before it is taken first-hand. */
  get watermark(): number {
    return this.#watermark.value;
  }

  /** As much of it as is on disk: what others may be told. */
  get published(): number {
    return this.#watermark.published;
  }

  /** Why nothing is applied any more from a place on; null: everything is. */
  get standstill(): string | null {
    return standstillOf(this.#fold);
  }

  /** Whether it serves. */
  get state(): "live" | "catching-up" {
    return this.#isOpen ? "live" : "catching-up";
  }

  /** Whether the state has everything that is stored and dated up to a time. */
  isFolded(at: number): boolean {
    return this.#isServing() && this.waiting.isPast(at) && reaches(this.#fold, at);
  }

  /** Whether what comes is merged into the state. */
  readonly #isServing = (): boolean => this.#isOpen && !this.#refolding.isRunning;

  /** Whether it has an entry, and the state too. */
  hasFolded = (place: Place): boolean =>
    place.at > this.prunedTo && this.holds(place) && this.isFolded(place.at);

  get figures(): TimelineFigures {
    const { tailUnits, tailBytes, redone } = this.#fold;
    return { tailUnits, tailBytes, redone, waiting: this.waiting.size, bytes: this.#parts.storage.bytes };
  }

  raise = (to: number): void => this.#watermark.raise(to);

  /** Gets ready for an entry that is to be taken, in a short step; a late one may need many. @returns whether it is */
  prepare = (entry: Entry): boolean =>
    entry.envelope.at <= this.#fold.cutAt || this.#fold.prepare(entry, UNITS_A_TURN, REDO_MOST);

  /** Takes an entry first-hand: checked, kept, folded and answered in one step. Its date has been found right. */
  take(entry: Entry): Taking {
    const failure = this.failure ?? this.standstill;
    if (failure !== null) return { kind: "failed", detail: failure };
    const place = placeOf(entry);
    if (this.holds(place) || this.#archive.isFolded(place.id)) return { kind: "held" };
    if (place.at <= this.#watermark.value || place.at <= this.#fold.cutAt) return { kind: "too-old" };
    const admitted = admit(this.#fold, entry, REDO_MOST, this.#parts.limits.unitSteps);
    const merged = admitted === "too-much" ? admitted : this.#merge([entry], admitted);
    if (merged === null || merged === "too-much") return { kind: merged ?? "too-old" };
    const [{ answers }] = merged as [FoldedEntry];
    return { kind: "taken", answers, flushed: this.#keep([entry], null) };
  }

  /**
   * Takes entries from a member, whose signatures have been found right.
   * @returns those that were new
   */
  receive(entries: readonly Entry[], from: ByteString): readonly Entry[] {
    if (this.failure !== null || !this.#isOpen) return [];
    const added = this.#archive.fresh(entries);
    if (added.length === 0) return added;
    const again = added.filter(({ id }) => this.#archive.isFolded(id));
    const unfolded = again.length === 0 ? added : added.filter(({ id }) => !this.#archive.isFolded(id));
    // A refold that is running may have come across them while they could be read, or not.
    this.#refolding.missed(again.filter((entry) => !this.#refolding.hasFolded(placeOf(entry))));
    this.#keep(added, from)?.catch(() => {});
    this.waiting.add(unfolded, this.#horizon.dueUntil);
    this.#late.run();
    return added;
  }

  /** Whether it has an entry, on disk or not. */
  holds = (place: Place): boolean => this.#archive.holds(place);

  /** Whether a member's entry can be kept: too many dated far ahead cannot. @param bytes  of body and signature */
  hasRoom = ({ at }: Place, bytes: number) => this.waiting.hasRoom(at, bytes, this.#horizon.dueUntil);

  /** The bytes of an entry that is on disk; null: none, a damaged one, which members will give again, or not yet open. */
  read = (place: Place): Pick<Entry, "body" | "signature"> | null =>
    this.#isOpen ? this.#archive.read(place) : null;

  /** What time brings: entries that come due, merges, the end of the tail, the watermark. */
  tick(): void {
    if (!this.#isOpen || this.failure !== null) return;
    this.waiting.addLate(this.waiting.takeDue(this.#horizon.dueUntil));
    this.#late.run();
    this.#cut();
    this.#fold.dropExpired(EXPIRED_A_TICK);
    this.#watermark.tick(this.isSkewed);
    if (this.#refolding.isRunning) return;
    this.#retention.tick({
      ...heldTo(this.#fold, this.#horizon.finalTo),
      bytes: this.#parts.storage.bytes,
      // By a wrong clock nothing is too old.
      now: this.isSkewed ? Number.NEGATIVE_INFINITY : this.#watermark.now(),
      keepsFrom: this.handover.keepsFrom,
      isAlone: this.#parts.isAlone(),
    });
  }

  /** Snapshots that an entry makes wrong end with it. @param entries  in their order, one at least */
  #keep(entries: readonly Entry[], from: ByteString | null): Promise<void> | null {
    this.#refolding.arrived(entries);
    const [{ envelope }] = entries as readonly [Entry];
    return this.#archive.add(entries, from, this.#making?.outdated(envelope.at) ?? null);
  }

  readonly #fail = (problem: Error): void => {
    if (this.failure !== null) return;
    this.failure = problem.message;
    this.#parts.log.error({ reason: problem.message }, FAILED);
    this.#parts.owner.failed(problem.message);
  };

  /** @returns null: too much would have to be done again, and nothing has been */
  #merge(entries: readonly Entry[], folded = this.#fold.mergeWithin(REDO_MOST, entries)) {
    if (folded !== null) this.#refolding.missed(entries);
    this.#newest = this.#fold.newest ?? this.#newest;
    return folded === null ? null : this.forgotten.mark(folded);
  }

  /** Folds anew beside the fold that serves; finds the late ones on disk. */
  #refold(late: readonly Entry[]): void {
    const { uptime, log, limits } = this.#parts;
    const startedAt = uptime();
    const { plan, entries } = planLateRefold(late, {
      waiting: this.waiting,
      horizon: this.#horizon,
      tailBytes: limits.tailBytes,
      fold: () => this.#fold,
      newest: this.#newest.at,
    });
    this.raise(plan.horizon);
    log.info({ entries: late.length }, "late entries: folding anew");
    const done = (fold: Fold) => {
      if (this.#archive.refolded(this.#refolding.takeGaps(), plan.until)) this.forgotten.some();
      this.#swap(fold, entries);
      this.waiting.refolded();
      this.waiting.merged(startedAt, uptime());
      this.#late.run();
    };
    this.#refolding.start(plan, done, this.#fail);
  }

  /** Takes a new fold, which has all that came while it was made but what belongs below its tail. */
  #swap(fold: Fold, late: readonly Entry[]): void {
    this.#fold = fold.inherit(this.#fold);
    this.waiting.addLate(this.#refolding.takeBelow());
    this.#newest = fold.newest ?? this.#newest;
    this.#settle(fold.cutAt);
    this.#parts.owner.folded(late, []);
  }

  /** During a refold too, which may take longer than filling the tail. */
  #cut(): void {
    const { cutAt, end } = this.#fold;
    const horizon = this.#horizon.of(this.#newest.at);
    this.#fold.cut(horizon);
    // Its cut stays where the standstill began, and ids come on and on.
    if (end !== null) this.#archive.forget(horizon);
    trim(this.#fold, this.#parts.limits.tailBytes, Math.floor(this.#parts.clock()));
    if (this.#fold.cutAt > cutAt) this.#settle(this.#fold.cutAt);
  }

  /** Nothing dated at or before it comes first-hand any more. */
  #settle(cutAt: number): void {
    this.raise(cutAt);
    this.#archive.forget(cutAt);
  }
}
