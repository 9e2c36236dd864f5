/**
 * Daemons that list each other with --json-replica: one of them leads. It does every write first, and the others do the writes in its order.
 * Who leads, and which writes have been done here; knows no connections. Source: docs/json-documents.md "Fleets".
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Why a daemon leads. Of two the better one holds. */
export interface Claim {
  /** Rises whenever a leader is lost; 0: it has neither written nor had anybody who follows it. */
  readonly term: number;
  /** How many writes it had when it began to lead. */
  readonly place: number;
  /** Milliseconds since 1970, by its own clock. */
  readonly since: number;
  /** Of the daemon, for as long as it runs. */
  readonly id: string;
  /** Whose place it has taken though that one is there, because another one cannot reach it. */
  readonly after?: Pick<Claim, "id" | "term"> | undefined;
}

/** A write of a client that has been done. */
export interface DoneWrite {
  /** The daemon that its client is connected to. */
  readonly by: string;
  /** Counted from 1 by that daemon. */
  readonly number: number;
  /** Milliseconds since 1970 when the leader did it. */
  readonly now: number;
  readonly argv: readonly ByteString[];
}

/** Which one a write is, whoever did it. */
export type WriteName = Pick<DoneWrite, "by" | "number">;

/** What a leader has, for one that is to have the same. */
export interface Level {
  readonly counts: Counts;
  readonly place: number;
  /** The last writes: whoever hands one of them over again is told that it is done. */
  readonly recent: readonly WriteName[];
}

/** What came of waiting for a write: `elsewhere`: who did it leads no more. */
export type Waited = "done" | "late" | "elsewhere";

/** How many writes of each daemon have been done, by its id: the highest number. */
export type Counts = ReadonlyMap<string, number>;

/** Of the writes that are remembered: a daemon that led while it was cut off hands them over. */
export interface KeptMost {
  readonly writes: number;
  /** Of their words. */
  readonly chars: number;
}

/** Of those that are remembered, the last ones, by name: as many as clients may wait for at once. */
const RECENT_WRITES = 1_000;
/** Daemons that are remembered: each start makes one. */
const KEPT_MEMBERS = 1_000;

export class Fleet {
  readonly id: string;
  readonly #own: Claim;
  #claim: Claim;
  #isLevel = true;
  #isLevelling = false;
  #changes = 0;
  /** Documents of the leader that were refused here, until they come as a whole. */
  readonly #refused = new Set<ByteString>();
  #place = 0;
  #number = 0;
  readonly #counts = new Map<string, number>();
  readonly #trimmed = new Map<string, number>();
  #kept: DoneWrite[] = [];
  #keptChars = 0;
  /** Writes that came with whole documents. */
  #given: readonly WriteName[] = [];
  readonly #waiters = new Set<() => void>();
  #keptMost: KeptMost;

  constructor({ id, since, keptMost }: Pick<Claim, "id" | "since"> & { readonly keptMost: KeptMost }) {
    this.id = id;
    this.#keptMost = keptMost;
    this.#own = { term: 0, place: 0, since, id };
    this.#claim = this.#own;
  }

  /** Of whom it follows, or its own. */
  get claim(): Claim {
    return this.#claim;
  }

  /** From now on. */
  set keptMost(most: KeptMost) {
    this.#keptMost = most;
    this.#trim();
  }

  get leads(): boolean {
    return this.#claim.id === this.id;
  }

  /** Whether it has all that its leader had when it was told so, and has refused nothing of it. */
  get isLevel(): boolean {
    return this.#isLevel && this.#refused.size === 0;
  }

  /** Whether its leader is sending it whole documents. */
  get isLevelling(): boolean {
    return this.#isLevelling;
  }

  /** Whether its leader sends it every document and write: it takes none elsewhere. */
  get followsInOrder(): boolean {
    return !this.leads && (this.#isLevel || this.#isLevelling);
  }

  /** Counts what changes the order, or comes from the leader. */
  get changes(): number {
    return this.#changes;
  }

  /** Documents of its leader that it lacks. */
  get refusedCount(): number {
    return this.#refused.size;
  }

  /** Writes done so far, in the leader's order. */
  get place(): number {
    return this.#place;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** What who follows this one is to have. */
  get own(): Level {
    const done = this.#kept.slice(-RECENT_WRITES).map(({ by, number }) => ({ by, number }));
    const recent = [...this.#given, ...done].slice(-RECENT_WRITES);
    return { counts: this.#counts, place: this.#place, recent };
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** What it leads with is worth more than what a daemon has that was just started. */
  raise(): void {
    if (this.leads && this.#claim.term === 0) this.#claim = { ...this.#claim, term: 1 };
  }

  /** @returns whether somebody else leads from now on, or it leads itself by a new claim */
  learn(claim: Claim): boolean {
    if (!isBetter(claim, this.#claim)) return false;
    // Who lacks writes that are here must not lead, unless he was asked to: then they are handed over.
    const isAsked = claim.after?.id === this.#claim.id && claim.after.term === this.#claim.term;
    if (this.isLevel && claim.term > this.#claim.term && claim.place < this.#place && !isAsked) {
      this.#become({ ...this.#own, term: claim.term + 1, place: this.#place });
      return true;
    }
    this.#isLevel = false;
    this.#become(claim);
    return true;
  }

  /** The leader is gone. Who does not have all that it had leads nobody who has. @param after  it is there: another one cannot reach it */
  takeOver(after?: Pick<Claim, "id" | "term">): void {
    const term = this.isLevel ? this.#claim.term + 1 : 0;
    this.#isLevel = true;
    this.#refused.clear();
    this.#become({ ...this.#own, term, place: this.#place, after });
  }

  /** Documents come one by one: until the last one is here it has neither what it had nor what its leader has. */
  unlevel(): void {
    this.#isLevel = false;
    this.#isLevelling = true;
    this.#changes++;
    this.#refused.clear();
  }

  /** What the leader gave of a document was refused: it goes on in the leader's order, and lacks that. */
  refuse(document: ByteString): void {
    this.#refused.add(document);
  }

  /** It has the document as the leader has. */
  settle(document: ByteString): void {
    this.#refused.delete(document);
  }

  lacks(document: ByteString): boolean {
    return this.#refused.has(document);
  }

  /** It has all that its leader has. */
  level({ counts, place, recent }: Level): void {
    for (const [by, number] of counts) this.#count(by, number);
    this.#given = recent;
    this.#isLevel = true;
    this.#isLevelling = false;
    this.#changes++;
    this.#place = place;
    this.#tellWaiters();
  }

  /** @param place  the leader's; absent: this daemon leads */
  record(write: DoneWrite, place = this.#place + 1): void {
    if (this.leads && this.#claim.term === 0) this.raise();
    this.#place = place;
    this.#changes++;
    this.#count(write.by, write.number);
    this.#kept.push(write);
    this.#keptChars += charsOf(write);
    this.#trim();
    this.#tellWaiters();
  }

  /** Whether a leader's write follows what is here. */
  isNext(place: number): boolean {
    return this.#isLevel && place === this.#place + 1;
  }

  /** Whether it was done already. @param number  of a write that may have been sent before */
  has(by: string, number: number): boolean {
    return (
      number <= (this.#trimmed.get(by) ?? 0) ||
      this.#kept.some((write) => write.by === by && write.number === number) ||
      this.#given.some((write) => write.by === by && write.number === number)
    );
  }

  /** The writes that somebody lacks, as far as they are remembered. */
  lacking(counts: Counts): DoneWrite[] {
    return this.#kept.filter(({ by, number }) => number > (counts.get(by) ?? 0));
  }

  /** Whether somebody lacks writes that are not remembered any more. */
  hasForgotten(counts: Counts): boolean {
    for (const [by, number] of this.#trimmed) if (number > (counts.get(by) ?? 0)) return true;
    return false;
  }

  /** Waits until so many writes are done here. @param leader  who said so */
  whenDone(place: number, leader: Pick<Claim, "id" | "term">, mostMs: number): Promise<Waited> {
    const come = (): Waited | null => {
      if (this.#claim.id !== leader.id || this.#claim.term !== leader.term) return "elsewhere";
      return this.#isLevel && this.#place >= place ? "done" : null;
    };
    const already = come();
    if (already !== null) return Promise.resolve(already);
    return new Promise((resolve) => {
      const check = (isLate: boolean) => {
        const waited = come() ?? (isLate ? "late" : null);
        if (waited === null) return;
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(waited);
      };
      const waiter = () => check(false);
      const timer = setTimeout(() => check(true), mostMs).unref();
      this.#waiters.add(waiter);
    });
  }

  #become(claim: Claim): void {
    this.#claim = claim;
    this.#isLevelling = false;
    this.#changes++;
    this.#tellWaiters();
  }

  #tellWaiters(): void {
    for (const waiter of this.#waiters) waiter();
  }

  #count(by: string, number: number): void {
    if (number <= (this.#counts.get(by) ?? 0)) return;
    // The one that has written last is the last one.
    this.#counts.delete(by);
    this.#counts.set(by, number);
    if (this.#counts.size <= KEPT_MEMBERS) return;
    const [oldest] = this.#counts.keys();
    this.#counts.delete(oldest as string);
    this.#trimmed.delete(oldest as string);
  }

  /** A quarter of what may be kept goes at once. */
  #trim(): void {
    const { writes, chars } = this.#keptMost;
    if (this.#kept.length <= writes && this.#keptChars <= chars) return;
    let [left, count] = [this.#keptChars, 0];
    while (this.#kept.length - count > (3 / 4) * writes || left > (3 / 4) * chars)
      left -= charsOf(this.#kept[count++] as DoneWrite);
    const gone = this.#kept.splice(0, count);
    for (const write of gone) {
      this.#keptChars -= charsOf(write);
      this.#trimmed.set(write.by, Math.max(write.number, this.#trimmed.get(write.by) ?? 0));
    }
  }
}

const charsOf = ({ argv }: DoneWrite) => argv.reduce((chars, word) => chars + word.length, 0);

/** The same everywhere: a claim is what its daemon said, whoever compares it. */
function isBetter(one: Claim, other: Claim): boolean {
  if (one.term !== other.term) return one.term > other.term;
  if (one.place !== other.place) return one.place > other.place;
  if (one.since !== other.since) return one.since < other.since;
  return one.id < other.id;
}
