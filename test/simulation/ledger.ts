/** The ledger of one run: what daemons have reported and promised, for the checks. */

import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Acknowledgement, Arrivals } from "./arrivals.js";
import { DecisionLedger } from "./decisions.js";
import { sha256 } from "./signatures.js";

/** One daemon's answer to one envelope. */
export interface Outcome {
  readonly host: string;
  /** The kind of answer, or null if there is none yet. */
  kind: "result" | "not-applied" | "unknown" | null;
}

/** An envelope that a client has signed. */
export interface Sent {
  readonly entry: Entry;
  readonly isRead: boolean;
  readonly outcomes: Outcome[];
}

/** A promise of a daemon: "Everything dated up to `at` is final." */
export interface StablePromise {
  readonly host: string;
  readonly at: number;
  /** When the promise was made, in milliseconds of the run. */
  readonly reportedAt: number;
  /** Order keys of all entries up to that date that the daemon had then. */
  readonly orderKeys: ReadonlySet<ByteString>;
}

/** The first start of a daemon with an empty data folder. */
export interface Beginning {
  /** The earliest time at which the daemon may accept entries, in milliseconds of the run. */
  readonly at: number;
  /** The latest of the clocks of the daemon and of the members that it reached, except clocks known to be wrong. */
  readonly latestClock: number;
  /** The dates at or before which these members said that they accept no writes; null: not known yet. */
  readonly watermarks: readonly (number | null)[];
}

export class Ledger {
  readonly sent = new Map<ByteString, Sent>();
  /** The daemon that first acknowledged each envelope, by envelope id. */
  readonly acknowledged = new Map<ByteString, string>();
  readonly stable: StablePromise[] = [];
  /** By entry id: the beginnings of the folders whose daemons received the entry from clients. */
  readonly beginnings = new Map<ByteString, Beginning[]>();
  /** How often daemons confirmed that an entry is on several disks. */
  replicated = 0;
  /** How often a daemon compared its state with a member's. */
  compared = 0;
  /** The number of snapshots accepted from members. */
  snapshots = 0;
  /** The number of accepted snapshots that an operator had ordered. */
  ordered = 0;
  /** By the seal of each snapshot: order keys of its entries. */
  readonly contents = new Map<ByteString, ReadonlySet<ByteString>>();
  /** By the seal of each snapshot of a byzantine member: order keys of its entries. */
  readonly badContents = new Map<ByteString, ReadonlySet<ByteString>>();
  /** The seal of each snapshot, by its contents: the same entries up to the same date must produce the same bytes. */
  readonly #seals = new Map<string, ByteString>();
  /** Order keys whose last sound copy a fault destroyed, or that are missing from a snapshot that a daemon accepted. */
  readonly lost = new Set<ByteString>();
  /** Order keys from folders of removed daemons that operators have put aside. */
  readonly putAside = new Set<ByteString>();
  /** The number of signed member lists by kind of change. */
  readonly lists: Record<string, number> = {};
  /** Whether an empty daemon has accepted a snapshot of its only peer, which was byzantine. */
  isTainted = false;
  /** The outcomes of units with conditions that clients received, by the client library's rule. */
  readonly conditional: Acknowledgement[] = [];
  readonly decisions = new DecisionLedger();
  readonly arrivals = new Arrivals();
  /** The elements that clients received from queues, with the queues and the daemons that returned them last. */
  readonly given = new Map<ByteString, { readonly key: ByteString; readonly host: string }>();
  /** The elements that clients put into queues at the byzantine daemon. */
  readonly putAtByzantine = new Set<ByteString>();
  /** The violations found so far. */
  readonly violations: string[] = [];

  /** Records a new snapshot. @returns a description of the problem with it, or null if there is none */
  sealed(at: number, seal: ByteString, orderKeys: ReadonlySet<ByteString>): string | null {
    this.contents.set(seal, orderKeys);
    const made = `${at} ${sha256([...orderKeys].sort().join(""))}`;
    const before = this.#seals.get(made) ?? seal;
    this.#seals.set(made, seal);
    return before === seal
      ? null
      : `the same ${orderKeys.size} entries up to ${at} produce a different snapshot`;
  }

  violate(text: string): void {
    this.violations.push(text);
  }
}
