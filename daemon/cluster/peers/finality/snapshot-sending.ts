/**
 * Sends a member the snapshot of a date, in the parts that the member requests. Entries after that date are retained
 * until the member is live.
 */
import type { MemberConnection } from "../connections/member-connection.js";
import type { ClusterState } from "../shared/cluster-state.js";

/** A snapshot that is being sent. Times are `uptime` milliseconds. */
interface Sending {
  readonly at: number;
  readonly total: number;
  readonly parts: Iterator<Buffer>;
  /** The number of the next part. */
  number: number;
  /**
   * The next part, or null if all parts were sent. One part is read ahead from `parts`, to know which part is the last.
   */
  next: Buffer | null;
  pulledAt: number;
}

export class SnapshotSending {
  readonly #cluster: ClusterState;
  readonly #connection: MemberConnection;
  #sending: Sending | null = null;
  /** When this daemon began to retain entries for the member, or null if it does not. */
  #retainsSince: number | null = null;

  constructor(cluster: ClusterState, connection: MemberConnection) {
    this.#cluster = cluster;
    this.#connection = connection;
  }

  /** The number of the next part of the snapshot that is being sent; null: none is. */
  get part(): number | null {
    return this.#sending?.number ?? null;
  }

  /**
   * Sends a part that the member requests.
   * @param at  the snapshot's date
   * @param number  0 to start from the beginning
   */
  pull(at: number, number: number): void {
    const peering = this.#cluster;
    // Ignore the request if too many bytes are unsent. The next tick disconnects such a member: it could otherwise
    // request a thousand parts at a time, and make this daemon buffer a gigabyte.
    if (this.#connection.unsentBytes > peering.limits.closeAboveUnsentBytes) return;
    try {
      this.#sendPart(at, number);
    } catch (problem) {
      // Send no snapshot: the member can then try another member, whose snapshot may be readable.
      peering.log.error({ reason: (problem as Error).message }, UNREADABLE);
      this.#end();
      this.#sendNone(number);
    }
  }

  #sendPart(at: number, number: number): void {
    const peering = this.#cluster;
    if (number === 0) this.#begin(at);

    const sending = this.#sending;
    if (sending === null || sending.next === null || at !== sending.at || number !== sending.number) {
      // If all parts were sent, ignore the request: the member sent it before it received the last part.
      if (sending === null || sending.next !== null) this.#sendNone(number);
      return;
    }

    const bytes = sending.next;
    const { done, value } = sending.parts.next();
    sending.next = done === true ? null : value;
    sending.pulledAt = peering.uptime();
    sending.number++;

    this.#connection.send({
      kind: "snapshot-part",
      at: sending.at,
      number,
      total: sending.total,
      isLast: done === true,
      bytes,
    });
  }

  #sendNone(number: number): void {
    const bytes = Buffer.alloc(0);
    this.#connection.send({ kind: "snapshot-part", at: 0, number, total: 0, isLast: true, bytes });
  }

  /** @param isLive  whether the member no longer needs help */
  tick(now: number, isLive: boolean): void {
    const { timeline, limits } = this.#cluster;
    if (this.#sending !== null && now - this.#sending.pulledAt > limits.snapshotStuckMs) this.#end();
    if (this.#retainsSince === null) return;
    if (isLive || now - this.#retainsSince > limits.snapshotHoldMs) this.#retainsSince = null;
    else timeline.handover?.hold();
  }

  /** Called when the member has disconnected. */
  stop(): void {
    this.#end();
  }

  #begin(at: number): void {
    this.#end();
    const peering = this.#cluster;
    // A daemon that is not live itself sends no snapshot.
    const snapshot = peering.state === "live" ? (peering.timeline.handover?.sendable(at) ?? null) : null;
    if (snapshot === null) return;
    const now = peering.uptime();
    this.#retainsSince ??= now;
    peering.timeline.handover?.hold();
    const parts = piecesOf(snapshot.chunks, peering.limits.snapshotPartBytes);
    const next = parts.next().value ?? null;
    this.#sending = { at: snapshot.cutAt, total: snapshot.bytes, parts, number: 0, next, pulledAt: now };
  }

  #end(): void {
    this.#sending?.parts.return?.();
    this.#sending = null;
  }
}

/** Cuts chunks into pieces of at most `maxBytes` bytes. */
function* piecesOf(chunks: Iterable<Buffer>, maxBytes: number): Generator<Buffer, undefined> {
  for (const chunk of chunks)
    for (let from = 0; from < chunk.length; from += maxBytes) yield chunk.subarray(from, from + maxBytes);
}

const UNREADABLE = "the snapshot requested by a member cannot be read";
