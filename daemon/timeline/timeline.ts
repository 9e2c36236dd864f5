/**
 * The timeline: accepts entries, each once; stores them; and maintains the state that follows from them. Disk, clock,
 * hash and turns of the event loop are passed in. Source: docs/architecture.md "How daemons agree".
 *
 *   accept (a client's entry) ──► known? ─► fold ─► store ─► answers, which wait for the disk
 *   receive (members' entries) ─► known? ─► store ─► waiting (late, or ahead of the clock) ─► merge or refold
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { isOneConditional } from "../../protocol/implicit-condition.js";
import type { DecidedOutcome, Envelope } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import type { Database } from "../store/database.js";
import { missingCode } from "../store/family-code.js";
import type { KeyRing } from "../store/key-ring.js";
import type { BackgroundRefold } from "./background-refold.js";
import type { DigestIndex } from "./compare/digest-index.js";
import { DamagedEntries } from "./damaged-entries.js";
import { DecidedUnits } from "./decided-units.js";
import { DiskFailure } from "./disk-failure.js";
import {
  compareOrderKeys,
  type Entry,
  type OrderKey,
  orderKeyOf,
  readOrderKey,
  type SignedBytes,
} from "./entries/entry.js";
import { EntryStore } from "./entry-store.js";
import { touchTest } from "./fold/changed-keys.js";
import { admit, unmetNow } from "./fold/entry-budget.js";
import type { BetweenUnits, FoldedEntry, UnitAnswer } from "./fold/fold.js";
import { exceedsUndecided, outcomesInTurn } from "./fold/outcomes-in-turn.js";
import { limitToEnd, standstillOf } from "./fold/semantics-standstill.js";
import { LateMerges, UNITS_PER_TURN } from "./late-merges.js";
import { OwnDates } from "./own-dates.js";
import { Retention } from "./retention.js";
import { type FoldDates, type ForgottenAnswers, REDO_MAX, ServingFold } from "./serving-fold.js";
import { SnapshotTransfer } from "./snapshot-transfer.js";
import { StateDigests } from "./state-digests.js";
import type { AcceptOutcome, TimelineParts } from "./timeline-environment.js";
import type { UnfoldedEntries } from "./unfolded-entries.js";
import { VoidLetters } from "./void-letters.js";
import { Watermark } from "./watermark.js";

/** Expired keys that are dropped in one tick. */
const EXPIRED_PER_TICK = 500;
/**
 * The maximum number of entries after proposed decisions whose changes are compared with their keys: what clients may
 * date ahead at a rate of 10,000 per second. With more, the decisions get a later date.
 */
const LATER_ENTRIES_MAX = 50_000;

export class Timeline {
  /** Whether the clock is known to be wrong. If so, the clock raises no watermark, and no entry counts as too old. */
  isSkewed = false;
  /** The number of times that the state was replaced by one without the entries that a failed disk does not have. */
  undone = 0;
  readonly #parts: TimelineParts;
  readonly #failure: DiskFailure;
  readonly #watermark: Watermark;
  readonly #entryStore: EntryStore;
  readonly #folding: ServingFold;
  readonly #dates: FoldDates;
  readonly #refolding: BackgroundRefold;
  readonly #retention: Retention;
  readonly #late: LateMerges;
  readonly voidLetters: VoidLetters;
  readonly waiting: UnfoldedEntries;
  readonly forgotten: ForgottenAnswers;
  /** Snapshots for members that are missing pruned entries. */
  readonly handover: SnapshotTransfer;
  readonly damagedEntries: DamagedEntries;
  readonly digests: StateDigests;
  readonly decided: DecidedUnits;
  readonly ownDates: OwnDates;

  constructor(parts: TimelineParts) {
    this.#parts = parts;
    this.decided = new DecidedUnits(parts);
    this.ownDates = new OwnDates(parts.storage);
    this.#failure = new DiskFailure(parts, this.#undoUnflushed);
    this.#watermark = new Watermark(parts, this.#failure, this.decided);
    this.#entryStore = new EntryStore(parts, this.#failure);
    this.#folding = new ServingFold(parts, this.#entryStore, this.#watermark);

    const { forgotten, dates, refolding, waiting } = this.#folding;
    this.forgotten = forgotten;
    this.waiting = waiting;
    this.#dates = dates;
    this.#refolding = refolding;

    this.#retention = new Retention(parts, this.#entryStore);
    this.#late = new LateMerges(parts, this.#folding, this.#failure);
    this.voidLetters = new VoidLetters(parts, this.#folding, this.#failure);
    this.handover = new SnapshotTransfer(parts, {
      folding: this.#folding,
      retention: this.#retention,
      voidLetters: this.voidLetters,
      failure: this.#failure,
    });
    this.damagedEntries = new DamagedEntries(parts, this.#folding, this.#late);
    this.digests = new StateDigests(this.#folding);
  }

  /** Folds the entries on disk, in slices. */
  open(): Promise<void> {
    return this.#folding.open(this.index);
  }

  /** Resolves when everything is on disk. */
  async stop(): Promise<void> {
    this.#folding.isOpen = false;
    for (const part of [this.#refolding, this.handover, this.damagedEntries, this.voidLetters]) part.stop();
    if (this.failure === null) await this.#parts.storage.flushed().catch(() => {});
    await this.#entryStore.making?.stop();
    await this.#parts.storage.close();
  }

  /** The reason why nothing is accepted any longer, or null if entries are accepted. */
  get failure(): string | null {
    return this.#failure.reason;
  }

  /**
   * Settles when all that the state includes is as safe as --fsync requires, or null if it already is. Rejects if the
   * disk has failed; later reads also receive a rejected promise until the state no longer includes what was lost.
   */
  get flushing(): Promise<void> | null {
    return this.#entryStore.flushing;
  }

  get database(): Database {
    return this.#folding.fold.database;
  }

  get ring(): KeyRing {
    return this.#folding.fold.ring;
  }

  /** The index of the entries on disk, for comparison with members. */
  get index(): DigestIndex {
    return this.#entryStore.index;
  }

  /** The date up to which entries are no longer stored, or -1 if all are stored. */
  get prunedTo(): number {
    return this.#entryStore.prunedTo;
  }

  get newest(): EnvelopeDate {
    return this.#folding.newest;
  }

  /** The date up to which nothing is accepted from clients. */
  get watermark(): number {
    return this.#watermark.value;
  }

  /** The part of the watermark that is on disk, which may be sent to members. */
  get published(): number {
    return this.#watermark.published;
  }

  /** The latest date of a stored entry, in milliseconds since 1970; 0: none is stored. */
  get lastStoredAt(): number {
    const last = this.#parts.storage.last();
    return last === null ? 0 : readOrderKey(last).at;
  }

  /** The reason why nothing is applied after some position, or null if everything is applied. */
  get standstill(): string | null {
    return standstillOf(this.#folding.fold);
  }

  /** Whether the timeline accepts entries. */
  get state(): "live" | "catching-up" {
    return this.#folding.isOpen ? "live" : "catching-up";
  }

  /** Whether the state includes everything that is stored and dated up to a time. */
  isFolded = (at: number): boolean => this.#folding.isFolded(at);

  /** Whether an entry is stored, and the state includes it. */
  hasFolded = (orderKey: OrderKey): boolean =>
    orderKey.at > this.prunedTo && this.holds(orderKey) && this.isFolded(orderKey.at);

  get figures(): TimelineFigures {
    const { tailUnits, tailBytes, redone } = this.#folding.fold;
    return { tailUnits, tailBytes, redone, waiting: this.waiting.size, bytes: this.#parts.storage.bytes };
  }

  /** Raises the watermark. @param to  milliseconds since 1970 */
  raise(to: number): void {
    this.#folding.raise(to);
  }

  /**
   * Does one short step of preparation for a client's entry; a late entry may need many such steps.
   * @returns whether the entry can now be taken
   */
  prepare = (entry: Entry): boolean =>
    entry.envelope.at <= this.#folding.fold.cutAt ||
    this.#folding.fold.prepare(entry, UNITS_PER_TURN, REDO_MAX);

  /**
   * Accepts an entry from a client: checks, folds, stores and answers it in one step. It is folded first, because an
   * entry that the fold refuses is not stored. Its date has already been checked.
   * @param between  called after each of its units, if it comes after all applied entries
   * @param isOnlyHere  whether no other daemon receives the entry from its client
   */
  accept(entry: Entry, between: BetweenUnits | null = null, isOnlyHere = true): AcceptOutcome {
    const failure = this.failure ?? this.standstill;
    if (failure !== null) return { kind: "failed", detail: failure };

    const orderKey = orderKeyOf(entry);
    if (this.holds(orderKey) || this.#entryStore.isFolded(orderKey.id)) return { kind: "duplicate" };
    if (this.#isTooOld(orderKey)) return { kind: "too-old" };

    const { limits, isAlone } = this.#parts;
    const decides = () => isOnlyHere && isAlone();
    const admitted = admit(this.#folding.fold, entry, REDO_MAX, limits.unitSteps, decides, between);
    const merged = typeof admitted === "string" ? admitted : this.#folding.merge([entry], admitted);
    if (merged === null || typeof merged === "string") return { kind: merged ?? "too-old" };

    const [{ answers }] = merged as [FoldedEntry];
    return { kind: "accepted", answers, flushed: this.#store([entry], null) };
  }

  /**
   * As `unmetNow`; null if there are members, which may have accepted other units, or if the entry is too old: it may
   * itself be the reason why its condition does not hold.
   */
  unmetAlone(entry: Entry): UnitAnswer | null {
    if (!isOneConditional(entry.envelope) || !this.#parts.isAlone()) return null;
    if (this.#isTooOld(entry.envelope)) return null;
    return unmetNow(entry, this.#folding.fold, this.#parts.limits.unitSteps);
  }

  #isTooOld({ at }: EnvelopeDate): boolean {
    return at <= this.#watermark.value || at <= this.#folding.fold.cutAt;
  }

  /**
   * Accepts the decisions of a proposal, for which this daemon has the votes.
   * @param decisions  in order
   * @param own  this daemon's id
   */
  acceptDecisions(decisions: readonly Entry[], own: ByteString): void {
    if (this.failure !== null || !this.#folding.isOpen) return;
    const entries = decisions.filter(
      (entry) => !this.holds(orderKeyOf(entry)) && !this.#entryStore.isFolded(entry.id),
    );
    const [first] = entries;
    if (first === undefined) return;

    const { isServing, fold } = this.#folding;
    const isLate =
      first.envelope.at <= fold.cutAt ||
      !isServing ||
      entries.some((entry) => !this.hasCode(entry) || !this.prepare(entry));

    const merged = isLate ? null : this.#folding.merge(entries);
    if (merged === null) {
      this.receive(entries, own);
      return;
    }

    // The votes are on the disks of a majority, so that no answer waits for these entries.
    this.#store(entries, null, false)?.catch(() => {});
    this.#parts.handlers.folded(entries, merged);
  }

  /**
   * Returns the outcomes of the units of each envelope on the current state, after those before it. Fewer than all: the
   * other ones cannot be evaluated together with these.
   * @param envelopes  with the positions of their decisions
   * @param decisionOf  returns the decision on an envelope
   * @param stepsMax  the steps that the envelopes may take together
   */
  outcomesInTurn = (
    envelopes: readonly Envelope[],
    decisionOf: (index: number, outcomes: readonly DecidedOutcome[]) => Entry,
    stepsMax: number,
  ): readonly DecidedOutcome[][] => outcomesInTurn(envelopes, decisionOf, stepsMax, this.#folding.fold);

  /** Whether the members would not run an envelope, or this daemon permits no unit that needs so many steps. */
  exceedsUndecided(entry: Entry): boolean {
    return exceedsUndecided(entry, this.#parts.limits.unitSteps, this.#folding.fold);
  }

  /** Whether this build contains the code of an entry's commands. */
  hasCode = ({ envelope }: Pick<Entry, "envelope">): boolean => missingCode(envelope.commands) === null;

  /**
   * Returns a function that reports whether an entry of the state, at or after a position, may have changed the keys of
   * a unit; null if there is no such entry. The function takes entries for which `hasCode` holds.
   */
  changesFrom(position: OrderKey): ((unit: Entry) => boolean) | null {
    const { fold } = this.#folding;
    if (fold.newest === null || compareOrderKeys(fold.newest, position) < 0) return null;
    if (position.at <= fold.cutAt) return () => true;
    return touchTest(fold.changedFrom(position, LATER_ENTRIES_MAX), this.#parts.databases);
  }

  /**
   * Accepts entries from a member. Their signatures have already been checked.
   * @returns the entries that were new
   */
  receive(entries: readonly Entry[], from: ByteString): readonly Entry[] {
    if (this.failure !== null || !this.#folding.isOpen) return [];
    const added = this.#entryStore.fresh(entries);
    if (added.length === 0) return added;
    const again = added.filter(({ id }) => this.#entryStore.isFolded(id));
    const unfolded = again.length === 0 ? added : added.filter(({ id }) => !this.#entryStore.isFolded(id));
    // These entries were damaged and have been sent again. A running refold may have read some of the entries before
    // the damage; the remaining entries have to be merged into its result.
    this.#refolding.missed(again.filter((entry) => !this.#refolding.hasFolded(orderKeyOf(entry))));
    this.#store(added, from)?.catch(() => {});

    // Nothing more is folded before the next start, which folds the entries on disk.
    if (this.#folding.fold.missingCode !== null) return added;
    this.waiting.add(unfolded, this.#dates.foldUntil);
    this.#late.run();
    return added;
  }

  /** Whether an entry is stored, even if it is not on disk yet. */
  holds = (orderKey: OrderKey): boolean => this.#entryStore.holds(orderKey);

  /**
   * Whether there is room for a member's entry: the number of entries dated far ahead is bounded.
   * @param bytes  the length of body and signature
   */
  hasRoom = ({ at }: OrderKey, bytes: number) => this.waiting.hasRoom(at, bytes, this.#dates.foldUntil);

  /**
   * Returns the bytes of an entry on disk. Returns null if the entry is missing or the timeline is not open yet, and if
   * the entry is damaged; members then send it again.
   */
  read = (orderKey: OrderKey): SignedBytes | null =>
    this.#folding.isOpen ? this.#entryStore.read(orderKey) : null;

  /**
   * Does periodic work: folds entries whose date has been reached, merges late entries, cuts the tail, and raises the
   * watermark.
   */
  tick(): void {
    if (!this.#folding.isOpen || this.failure !== null) return;
    if (this.#folding.fold.missingCode !== null) {
      // This forgets the ids of entries that have become old.
      this.#folding.cut();
      return;
    }

    this.waiting.addLate(this.waiting.takeUntil(this.#dates.foldUntil));
    this.#late.run();
    this.#folding.cut();
    this.#folding.fold.dropExpired(EXPIRED_PER_TICK);
    this.#watermark.tick(this.isSkewed || this.#folding.isAtStandstill);

    if (this.#refolding.isRunning) return;
    this.#retention.tick({
      ...limitToEnd(this.#folding.fold, this.#dates.finalTo, this.voidLetters.snapshotsTo),
      // If the clock is wrong, no entry is too old.
      now: this.isSkewed ? Number.NEGATIVE_INFINITY : this.#watermark.now(),
      retainsFrom: this.handover.retainsFrom,
      isAlone: this.#parts.isAlone(),
    });
  }

  readonly #undoUnflushed = (): void => {
    if (this.flushing !== null && this.#folding.isOpen)
      this.#late.undoUnflushed(() => {
        this.undone++;
        this.#entryStore.forgetUnflushed();
      });
  };

  /** @param entries  in order, at least one */
  #store(
    entries: readonly Entry[],
    from: ByteString | null,
    isAwaited = from === null,
  ): Promise<void> | null {
    this.#refolding.arrived(entries);
    return this.#entryStore.add(entries, from, isAwaited);
  }
}

/** The figures of a timeline, for status and metrics. */
interface TimelineFigures {
  readonly tailUnits: number;
  readonly tailBytes: number;
  /** The number of units that were undone and redone. */
  readonly redone: number;
  /** The number of entries that are stored but not folded. */
  readonly waiting: number;
  /** The bytes on disk, or in memory if there is no disk. */
  readonly bytes: number;
}
