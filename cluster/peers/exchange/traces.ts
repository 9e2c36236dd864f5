/**
 * What is known of the spreading of entries that moved lately: which members have an entry, which were sent it. Older
 * ones are forgotten, which costs no more than an offer that was not needed. Members are bits of a number.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { PackedEntry } from "../../../protocol/members/member-packing.js";
import type { Place } from "../../../timeline/entries/entry.js";

/** The bytes of an entry that is to be pushed unasked; what they say is not kept for it. */
export interface AtOnce extends PackedEntry {
  readonly place: Place;
}

export interface Trace {
  readonly place: Place;
  /** On the own disk. */
  isFlushed: boolean;
  /** Members that said it is on their disk. */
  has: number;
  /** Members that it was pushed to on the present connection. */
  sent: number;
  /** Members that are to be told when it is on the own disk. */
  owed: number;
  /** To be pushed unasked. */
  atOnce: AtOnce | null;
  /** How often it was kept for being owed. */
  turns: number;
  /** Somebody waits for members to have it: it is offered at once. */
  isUrgent: boolean;
}

/** Entries that a member gave, dated before it, came by reconciliation: the others compare as well, and are told nothing. */
export const oldestSpread = (parts: {
  readonly clock: () => number;
  readonly limits: { readonly past: number };
}): number => parts.clock() - 2 * parts.limits.past;

/** Kept no longer, though it is owed. */
const TURNS_MOST = 6;

export class Traces {
  readonly #limits: { readonly traceMs: number; readonly maxTraces: number };
  #young = new Map<ByteString, Trace>();
  #old = new Map<ByteString, Trace>();
  #turnsAt = 0;
  /** Whether somebody waits for members to have it. */
  readonly #isWaitedFor: (id: ByteString) => boolean;

  constructor(
    limits: { readonly traceMs: number; readonly maxTraces: number },
    isWaitedFor: (id: ByteString) => boolean,
  ) {
    this.#limits = limits;
    this.#isWaitedFor = isWaitedFor;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  find(id: ByteString): Trace | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }

  /** The one of a place; made if there is none. */
  of(place: Place): Trace {
    let trace = this.#young.get(place.id);
    if (trace !== undefined) return trace;
    const { at, seq, id } = place;
    trace = this.#old.get(id);
    trace ??= {
      place: { at, seq, id },
      isFlushed: false,
      has: 0,
      sent: 0,
      owed: 0,
      atOnce: null,
      isUrgent: false,
      turns: 0,
    };
    this.#young.set(id, trace);
    return trace;
  }

  /** @param now  `uptime` milliseconds */
  tick(now: number): void {
    if (now < this.#turnsAt && this.#young.size < this.#limits.maxTraces) return;
    this.#turnsAt = now + this.#limits.traceMs;
    const forgotten = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    // Owed may also be what was held once, and is pruned.
    for (const [id, trace] of forgotten) {
      const isOwed = trace.owed !== 0 && ++trace.turns < TURNS_MOST;
      const isAwaited = isOwed || this.#isWaitedFor(id);
      if (isAwaited && !this.#old.has(id)) this.#young.set(id, trace);
    }
  }

  /** A bit is to stand for another member. */
  forget(bit: number): void {
    for (const traces of [this.#young, this.#old]) {
      for (const trace of traces.values()) {
        trace.has &= ~bit;
        trace.sent &= ~bit;
        trace.owed &= ~bit;
      }
    }
  }

  /** What was on the way to a member may be lost. */
  disconnected(bit: number): void {
    for (const traces of [this.#young, this.#old]) {
      for (const trace of traces.values()) trace.sent &= ~bit;
    }
  }
}
