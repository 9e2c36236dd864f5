/**
 * What a journal says: the writes in their order, what became of each, and how far each server is. Records are appended and never changed; this
 * is what they come to. Pure.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { UpstreamSession } from "../upstream/session.js";

export type JournalRecord =
  /** All up to here are on these servers. */
  | { readonly is: "base"; readonly n: number; readonly servers: readonly string[] }
  /** It is about to be sent to this server, which is the first, or the next after one that failed. */
  | {
      readonly is: "write";
      readonly n: number;
      readonly server: string;
      readonly session: UpstreamSession;
      readonly statement: ByteString;
    }
  /** A server has answered: it is carried out, or refused and nobody's business any more. */
  | { readonly is: "done"; readonly n: number; readonly isRefused: boolean }
  /** This server has it. */
  | { readonly is: "applied"; readonly n: number; readonly server: string }
  /** It is about to be carried to a server that was away; `digest` is of what it changes there, as it is before. */
  | { readonly is: "before"; readonly n: number; readonly server: string; readonly digest: string }
  /** Nobody knows whether this server has it; `digest` is of what it changes, as it is behind it. */
  | { readonly is: "after"; readonly n: number; readonly server: string; readonly digest: string }
  /** This server holds something else, and is left alone. */
  | { readonly is: "diverged"; readonly server: string };

export interface JournalEntry {
  readonly n: number;
  /** Those that it was sent to before there was an answer; the last one may have it. */
  readonly sentTo: ReadonlySet<string>;
  readonly session: UpstreamSession;
  readonly statement: ByteString;
  /** open: nobody has answered. */
  readonly outcome: "open" | "done" | "refused";
}

/** That a server may or may not have a write. */
export interface Doubt {
  readonly n: number;
  /** null: nobody has looked. */
  readonly digest: { readonly is: "before" | "after"; readonly of: string } | null;
}

interface Progress {
  applied: number;
  doubt: Doubt | null;
  isDiverged: boolean;
}

export class JournalState {
  /** The number of the last write. */
  last = 0;
  readonly entries = new Map<number, JournalEntry>();
  /** Of all that were ever named; those that are no more do not count. */
  readonly #servers = new Map<string, Progress>();
  readonly #named: readonly string[];

  constructor(servers: readonly string[]) {
    this.#named = servers;
  }

  appliedOf = (server: string): number => this.#of(server).applied;
  doubtOf = (server: string): Doubt | null => this.#of(server).doubt;
  isDiverged = (server: string): boolean => this.#of(server).isDiverged;

  /** The write that nobody has answered; null: there is none. */
  get open(): JournalEntry | null {
    const entry = this.entries.get(this.last);
    return entry?.outcome === "open" ? entry : null;
  }

  /** Whether it holds all that was carried out, for sure. */
  isComplete(server: string): boolean {
    const { applied, doubt, isDiverged } = this.#of(server);
    const due = this.open === null ? this.last : this.last - 1;
    return applied >= due && doubt === null && !isDiverged;
  }

  /** Whether the writes that it lacks are all here. */
  isWithinReach(server: string): boolean {
    const { applied, isDiverged } = this.#of(server);
    return isDiverged || applied >= this.last || this.entries.has(applied + 1);
  }

  /** The least that any server has which is to be brought up to date. */
  get leastApplied(): number {
    const counted = this.#named.map((server) => this.#of(server)).filter(({ isDiverged }) => !isDiverged);
    return counted.reduce((least, { applied }) => Math.min(least, applied), this.last);
  }

  take(record: JournalRecord): void {
    switch (record.is) {
      case "base":
        this.last = record.n;
        for (const server of record.servers) this.#of(server).applied = record.n;
        return;
      case "write":
        this.#write(record);
        return;
      case "done": {
        const entry = this.entries.get(record.n);
        if (entry !== undefined)
          this.entries.set(record.n, { ...entry, outcome: record.isRefused ? "refused" : "done" });
        return;
      }
      case "applied": {
        const progress = this.#of(record.server);
        progress.applied = record.n;
        progress.doubt = null;
        return;
      }
      case "before":
      case "after":
        this.#of(record.server).doubt = { n: record.n, digest: { is: record.is, of: record.digest } };
        return;
      case "diverged":
        this.#of(record.server).isDiverged = true;
    }
  }

  /** It may or may not have the write that follows those that it has. */
  doubt(server: string, n: number): void {
    this.#of(server).doubt ??= { n, digest: null };
  }

  /** It has not. */
  clear(server: string): void {
    this.#of(server).doubt = null;
  }

  /** Writes that every server has are no more needed. */
  forget(): void {
    const least = this.leastApplied;
    for (const n of this.entries.keys()) {
      if (n > least) return;
      this.entries.delete(n);
    }
  }

  #write({ n, server, session, statement }: Extract<JournalRecord, { is: "write" }>): void {
    const before = this.entries.get(n)?.sentTo ?? [];
    this.last = n;
    this.entries.set(n, { n, session, statement, sentTo: new Set([...before, server]), outcome: "open" });
  }

  /** A server that was not there before begins at nothing. */
  #of(server: string): Progress {
    const known = this.#servers.get(server);
    if (known !== undefined) return known;
    const made = { applied: 0, doubt: null, isDiverged: false };
    this.#servers.set(server, made);
    return made;
  }
}
