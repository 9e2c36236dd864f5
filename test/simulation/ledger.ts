/** What daemons have said and promised in one run: what the checks hold them to. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Entry } from "../../timeline/entry.js";

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
  /** Places of all that the daemon had then, up to that date. */
  readonly places: ReadonlySet<ByteString>;
}

export class Ledger {
  readonly sent = new Map<ByteString, Sent>();
  /** By id of an envelope: who said first that it is recorded. */
  readonly acknowledged = new Map<ByteString, string>();
  readonly stable: StablePromise[] = [];
  /** How often "on so many disks" was said. */
  replicated = 0;
  /** Snapshots that daemons took over from others. */
  snapshots = 0;
  /** Of every snapshot that was made, by what it ends with: places of the entries that it is made of. */
  readonly contents = new Map<ByteString, ReadonlySet<ByteString>>();
  /** Places whose last sound copy a fault has destroyed, or that a snapshot which was taken over is not made of. */
  readonly lost = new Set<ByteString>();
  /** What is wrong already. */
  readonly violations: string[] = [];

  violate(text: string): void {
    this.violations.push(text);
  }
}
