/** Sends a member the snapshot of a date, part by part as it asks, and keeps what follows it until the member is live. */
import type { MemberConnection } from "../connections/member-connection.js";
import type { ClusterState } from "../shared/cluster-state.js";

/** A snapshot that is being sent. Times are `uptime` milliseconds. */
interface Giving {
  readonly at: number;
  readonly total: number;
  readonly parts: Iterator<Buffer>;
  /** Number of the part that is next. */
  number: number;
  /** The next part, already taken out of `parts` to know whether another one follows; null: that was all. */
  next: Buffer | null;
  pulledAt: number;
}

export class SnapshotSending {
  readonly #cluster: ClusterState;
  readonly #connection: MemberConnection;
  #giving: Giving | null = null;
  /** When the member began to need what this daemon keeps; null: it does not. */
  #helpsSince: number | null = null;

  constructor(cluster: ClusterState, connection: MemberConnection) {
    this.#cluster = cluster;
    this.#connection = connection;
  }

  /** Sends a part that the member asks for. @param at  the snapshot's date @param number  0: from the beginning */
  pull(at: number, number: number): void {
    const peering = this.#cluster;
    // A member that asks for a thousand parts in one message is closed at the next tick, and receives no gigabyte
    // before.
    if (this.#connection.unsentBytes > peering.limits.closeAboveUnsentBytes) return;
    try {
      this.#give(at, number);
    } catch (problem) {
      // Another member may have one that can be read.
      peering.log.error({ reason: (problem as Error).message }, UNREADABLE);
      this.#end();
      this.#giveNone(number);
    }
  }

  #give(at: number, number: number): void {
    const peering = this.#cluster;
    if (number === 0) this.#begin(at);
    const giving = this.#giving;
    if (giving === null || giving.next === null || at !== giving.at || number !== giving.number) {
      // What is requested after the last part was requested before that had arrived.
      if (giving === null || giving.next !== null) this.#giveNone(number);
      return;
    }
    const bytes = giving.next;
    const { done, value } = giving.parts.next();
    giving.next = done === true ? null : value;
    giving.pulledAt = peering.uptime();
    giving.number++;
    this.#connection.send({
      kind: "snapshot-part",
      at: giving.at,
      number,
      total: giving.total,
      isLast: done === true,
      bytes,
    });
  }

  #giveNone(number: number): void {
    const bytes = Buffer.alloc(0);
    this.#connection.send({ kind: "snapshot-part", at: 0, number, total: 0, isLast: true, bytes });
  }

  /** @param isLive  whether the member needs no more help */
  tick(now: number, isLive: boolean): void {
    const { timeline, limits } = this.#cluster;
    if (this.#giving !== null && now - this.#giving.pulledAt > limits.snapshotStuckMs) this.#end();
    if (this.#helpsSince === null) return;
    if (isLive || now - this.#helpsSince > limits.snapshotHoldMs) this.#helpsSince = null;
    else timeline.handover?.hold();
  }

  /** The member has disconnected. */
  stop(): void {
    this.#end();
  }

  #begin(at: number): void {
    this.#end();
    const peering = this.#cluster;
    // A daemon that is not live itself sends none.
    const given = peering.state === "live" ? (peering.timeline.handover?.givable(at) ?? null) : null;
    if (given === null) return;
    const now = peering.uptime();
    this.#helpsSince ??= now;
    peering.timeline.handover?.hold();
    const parts = piecesOf(given.chunks, peering.limits.snapshotPartBytes);
    const next = parts.next().value ?? null;
    this.#giving = { at: given.cutAt, total: given.bytes, parts, number: 0, next, pulledAt: now };
  }

  #end(): void {
    this.#giving?.parts.return?.();
    this.#giving = null;
  }
}

/** Cuts chunks into pieces of at most the given number of bytes. */
function* piecesOf(chunks: Iterable<Buffer>, most: number): Generator<Buffer, undefined> {
  for (const chunk of chunks)
    for (let from = 0; from < chunk.length; from += most) yield chunk.subarray(from, from + most);
}

const UNREADABLE = "the snapshot for a member cannot be read";
