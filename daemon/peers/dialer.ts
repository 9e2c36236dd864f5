/**
 * One address of --peer, and the connection there: opened at once, again at once when a good one was lost, later with
 * full jitter, so that many daemons do not all arrive at one that comes back.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { FarewellCode } from "./handshake.js";
import type { MemberConnection } from "./member-connection.js";
import { type PeerAddress, placeName } from "./member-socket.js";
import type { PeeringLimits } from "./peering-limits.js";

/** Longest wait after a connection that was one too many: when the other one breaks, this is the next. */
const DUPLICATE_MS = 1000;
/** Failures after which the wait grows no more. */
const DOUBLINGS_MOST = 16;

export class Dialer {
  readonly address: PeerAddress;
  readonly name: string;
  /** null: none is open or being opened. */
  connection: MemberConnection | null = null;
  /** Who answered there last, proved or told by a connection that was not kept; null: not known. */
  id: ByteString | null;
  /** Why there is no connection; null: there is, or it was not tried yet. */
  trouble: string | null = null;
  /** The address is this daemon's own. */
  isSelf = false;
  readonly #limits: PeeringLimits;
  readonly #random: () => number;
  #failures = 0;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(address: PeerAddress, limits: PeeringLimits, random: () => number) {
    this.address = address;
    this.name = placeName(address);
    this.id = address.pin;
    this.#limits = limits;
    this.#random = random;
  }

  /** @param isCovered  there is a connection to this member, whoever opened it */
  isDue(now: number, isCovered: boolean): boolean {
    return this.connection === null && !this.isSelf && !isCovered && now >= this.#nextAt;
  }

  /** @param openFor  milliseconds it was open between two who had proved themselves; 0: never */
  lost(code: FarewellCode | null, detail: string, openFor: number, now: number): void {
    this.connection = null;
    this.trouble = detail;
    if (code === "self") this.isSelf = true;
    const { reconnectFirstMs, reconnectMostMs, goodConnectionMs } = this.#limits;
    if (openFor >= goodConnectionMs) {
      this.#failures = 0;
      this.#nextAt = now;
      return;
    }
    if (code === "duplicate") {
      this.#nextAt = now + this.#random() * DUPLICATE_MS;
      return;
    }
    const longest = Math.min(
      reconnectMostMs,
      reconnectFirstMs * 2 ** Math.min(this.#failures, DOUBLINGS_MOST),
    );
    this.#failures++;
    this.#nextAt = now + this.#random() * longest;
  }

  /** Leaves it alone for a while. */
  rest(until: number): void {
    this.#nextAt = Math.max(this.#nextAt, until);
  }
}
