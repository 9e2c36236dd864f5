/** What daemons have said and promised in one run: what the checks hold them to. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Entry } from "../../timeline/entries/entry.js";
import { type Acknowledgement, Arrivals } from "./arrivals.js";
import { sha256 } from "./cast.js";

/** How one daemon answered one envelope that was handed to it. */
export interface Outcome {
  readonly host: string;
  /** null: no answer, or none yet. */
  kind: "result" | "not-applied" | "unknown" | null;
}

/** An envelope that a client has signed. */
export interface Sent {
  readonly entry: Entry;
  readonly isRead: boolean;
  readonly outcomes: Outcome[];
}

/** "Everything dated up to `at` is final." */
export interface StablePromise {
  readonly host: string;
  readonly at: number;
  /** When it was said: milliseconds of the run. */
  readonly saidAt: number;
  /** Places of all that the daemon had then, up to that date. */
  readonly places: ReadonlySet<ByteString>;
}

/** A data folder that was empty begins, among members or because none is reached. */
export interface Beginning {
  /** When its daemon may take something first: milliseconds of the run. */
  readonly at: number;
  /** The furthest of its clock and those of the members that it reached, as far as they do not know that they are off. */
  readonly latestClock: number;
}

export class Ledger {
  readonly sent = new Map<ByteString, Sent>();
  /** By id of an envelope: who said first that it is recorded. */
  readonly acknowledged = new Map<ByteString, string>();
  readonly stable: StablePromise[] = [];
  /** By id of an entry: how the folders began whose daemons took it first-hand. */
  readonly beginnings = new Map<ByteString, Beginning[]>();
  /** How often "on so many disks" was said. */
  replicated = 0;
  /** How often a daemon found that a member had made the same state, or not. */
  compared = 0;
  /** Snapshots that daemons took over from others. */
  snapshots = 0;
  /** Of these, those that an operator ordered. */
  ordered = 0;
  /** Of every snapshot that was made, by what it ends with: places of the entries that it is made of. */
  readonly contents = new Map<ByteString, ReadonlySet<ByteString>>();
  /** The same of those that a member has made which has turned bad. */
  readonly badContents = new Map<ByteString, ReadonlySet<ByteString>>();
  /** The same the other way round: the same entries up to the same date must make the same bytes. */
  readonly #seals = new Map<string, ByteString>();
  /** Places whose last sound copy a fault has destroyed, or that a snapshot which was taken over is not made of. */
  readonly lost = new Set<ByteString>();
  /** Places of what was in folders that operators have put aside, of daemons that a list has left out. */
  readonly putAside = new Set<ByteString>();
  /** Lists of members that were signed, by what. */
  readonly lists: Record<string, number> = {};
  /** Whether an only other daemon, which has turned bad, was believed by one that had nothing. */
  isTainted = false;
  /** Of units with conditions: what clients were told, by the rule of the client library. */
  readonly conditional: Acknowledgement[] = [];
  readonly arrivals = new Arrivals();
  /** What is wrong already. */
  readonly violations: string[] = [];

  /** A snapshot was made. @returns what is wrong with it; null: nothing */
  sealed(at: number, seal: ByteString, places: ReadonlySet<ByteString>): string | null {
    this.contents.set(seal, places);
    const made = `${at} ${sha256([...places].sort().join(""))}`;
    const before = this.#seals.get(made) ?? seal;
    this.#seals.set(made, seal);
    return before === seal ? null : `the same ${places.size} entries up to ${at} make another snapshot`;
  }

  violate(text: string): void {
    this.violations.push(text);
  }
}
