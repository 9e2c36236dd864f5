/**
 * One address of --peer, and the connection to it. The first attempt to connect is immediate, and so is the first
 * attempt after a connection that lasted long. Later attempts wait for a random time (full jitter), so that many
 * daemons do not connect at the same moment to a daemon that has restarted.
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import type { CloseCode } from "../../../../protocol/figures/close-reasons.js";
import { formatHost } from "../../../net/process/host-and-port.js";
import type { PeerAddress } from "../../../options/peer-address.js";
import {
  type Absence,
  type Closing,
  type ClusterState,
  type MemberStatus,
  NO_CLOSING,
} from "../shared/cluster-state.js";

import type { PeeringLimits } from "../shared/peering-limits.js";
import type { MemberConnection } from "./member-connection.js";

/**
 * The longest wait in milliseconds after a connection was closed as a duplicate. It is short, so that the remaining
 * connection is replaced soon if it breaks.
 */
const DUPLICATE_MS = 1000;
/**
 * Milliseconds after which the daemon connects again to an address that is its own, or that has led to the same daemon
 * as another one. A name leads to another daemon once the servers of names know its new address.
 */
const CHECK_MS = 60_000;
/** The number of failures after which the wait no longer grows. */
const DOUBLINGS_MAX = 16;

/** Reasons to close a connection that do not show whether the daemon at that address would admit this one. */
const NO_ANSWERS: ReadonlySet<CloseCode> = new Set([
  ...(["silent", "stopping", "malformed", "bad-proof", "not-a-daemon", "internal-error"] as const),
  ...(["too-many-handshakes", "not-reading"] as const),
]);

/** Returns the same string for addresses that are dialed in the same way. */
const dialingKey = (address: PeerAddress): string =>
  `${formatHost(address)} ${address.pin ?? ""} ${address.tls}`;

const isSameAddress = (one: PeerAddress, other: PeerAddress | null): boolean =>
  other !== null && dialingKey(one) === dialingKey(other);

/** The status of a member that is not connected, and has no address. */
export const NOT_CONNECTED: MemberStatus = {
  address: "",
  id: null,
  connection: "waiting",
  ...NO_CLOSING,
  lastHeard: null,
  awayFor: null,
  state: null,
  skewed: false,
  connectedSince: null,
  roundTrip: null,
  skew: null,
  watermark: null,
  entries: null,
  isEqual: null,
  lag: 0,
  behind: 0,
  prunedTo: null,
  isMissingEntries: false,
  isLeftOut: false,
  refusals: 0,
  about: null,
  aboutAge: null,
};

export class Dialer {
  readonly address: PeerAddress;
  readonly name: string;
  /** When the address was added; `uptime` milliseconds. */
  readonly addedAt: number;
  /** The connection, or null if none is open or being opened. A check may have assigned it to this address. */
  connection: MemberConnection | null = null;
  /** The id that the daemon at this address has last proved, or the pinned id; null if neither is known. */
  id: ByteString | null;
  /** SubjectPublicKeyInfo of the key with the id `id`, or null if unknown. */
  spki: ByteString | null = null;
  closing = NO_CLOSING;
  /**
   * The last answer of the daemon at this address: `admitted`, or the reason for which either side closed the
   * connection. Null if there was none. A failed connection does not change it, so it outlasts a restart of that
   * daemon.
   */
  answer: "admitted" | CloseCode | null = null;
  /** Whether the address is this daemon's own, as the handshake of a connection to it has shown. */
  isSelf = false;
  /**
   * Whether the connection only checks that the address still leads to the daemon `id`, to which there is another
   * connection.
   */
  isCheck = false;
  /**
   * Whether the last connection to the address led to a daemon that has proved that it would be a member, if the list
   * named it.
   */
  isUnlisted = false;
  /** Whether that daemon uses a list that is not one of this daemon's. */
  hasOtherList = false;
  readonly #limits: PeeringLimits;
  readonly #random: () => number;
  #failures = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #checkAt = Number.POSITIVE_INFINITY;

  constructor(
    address: PeerAddress,
    { limits, random, uptime }: Pick<ClusterState, "limits" | "random" | "uptime">,
  ) {
    this.address = address;
    this.name = formatHost(address);
    this.addedAt = uptime();
    this.id = address.pin;
    this.#limits = limits;
    this.#random = random;
  }

  /** @param isCovered  whether there is a connection to this member, opened by either side */
  isDue(now: number, isCovered: boolean): boolean {
    return this.connection === null && !isCovered && now >= this.#nextAt;
  }

  /**
   * Whether to check an address that has led to the same member as another one. One of the two names may have led to it
   * only while it was out of date, and no connection to the daemon that has this name now would ever be opened.
   * @param isAmbiguous  whether another address has led to the same member
   */
  isCheckDue(now: number, isAmbiguous: boolean): boolean {
    if (!isAmbiguous || this.connection !== null) {
      this.#checkAt = Number.POSITIVE_INFINITY;
      return false;
    }
    const isDue = now >= this.#checkAt;
    this.#checkAt = isDue ? now + CHECK_MS : Math.min(this.#checkAt, now + CHECK_MS);
    return isDue;
  }

  /**
   * Records that the connection was lost, and schedules the next attempt.
   * @param code  the reason, or null if it is not certain: the report of an unauthenticated peer does not count
   * @param closing  the reason for reports
   * @param openFor  milliseconds for which it was open after both sides were authenticated, or 0 if it never was
   */
  lost(code: CloseCode | null, closing: Closing, openFor: number, now: number): void {
    this.connection = null;
    this.closing = closing;
    const { closeCode } = closing;
    if (closeCode !== null && !NO_ANSWERS.has(closeCode)) this.answer = closeCode;
    this.isSelf = code === "self";
    // An address whose daemon the list leaves out is tried again: a new daemon may start there with an empty folder.
    if (this.isSelf) {
      this.#nextAt = now + CHECK_MS;
      return;
    }
    const { reconnectFirstMs, reconnectMaxMs, goodConnectionMs } = this.#limits;
    if (openFor >= goodConnectionMs) {
      this.#failures = 0;
      this.#nextAt = now;
      return;
    }
    if (code === "duplicate") {
      this.#nextAt = now + this.#random() * DUPLICATE_MS;
      return;
    }
    const longest = Math.min(reconnectMaxMs, reconnectFirstMs * 2 ** Math.min(this.#failures, DOUBLINGS_MAX));
    this.#failures++;
    this.#nextAt = now + this.#random() * longest;
  }

  describe(absence: Absence): MemberStatus {
    const { name, id, closing } = this;
    const connection = this.isSelf ? "self" : this.connection === null ? "waiting" : "connecting";
    return { ...NOT_CONNECTED, ...closing, address: name, id, connection, ...absence };
  }

  /** Records the id that the daemon at this address has proved. The member list need not name that daemon. */
  proved({ id, spki }: MemberConnection): void {
    this.id = id;
    this.spki = spki;
    this.isSelf = false;
  }

  /**
   * Forgets how the daemon at this address has answered to earlier options of this daemon, and makes the next attempt
   * immediately: a new daemon that waited longer would serve before it has received the answer to its new options.
   */
  startAgain(): void {
    this.answer = null;
    this.#failures = 0;
    this.#nextAt = Number.NEGATIVE_INFINITY;
  }

  /** Prevents attempts to connect to the address before `until`. */
  rest(until: number): void {
    this.#nextAt = Math.max(this.#nextAt, until);
  }
}

/** The addresses of --peer, the ids that were proved at them, and the connections that were opened to them. */
export class Dialers implements Iterable<Dialer> {
  #all: readonly Dialer[] = [];

  /** Replaces the addresses. @returns the connections that were opened to addresses that were removed */
  set(
    addresses: ClusterState["peers"],
    cluster: Pick<ClusterState, "limits" | "random" | "uptime">,
  ): MemberConnection[] {
    const before = this.#all;
    const known = new Map(before.map((dialer) => [dialingKey(dialer.address), dialer]));
    this.#all = addresses.map((address) => {
      const existing = known.get(dialingKey(address));
      known.delete(dialingKey(address));
      return existing ?? new Dialer(address, cluster);
    });

    // A check may have assigned a connection to another address than the one that it was opened to.
    const removed = new Set(known.values());
    return before.flatMap((holder) => {
      const { connection } = holder;
      if (connection === null) return [];
      const opened = this.#all.find(({ address }) => isSameAddress(address, connection.address));
      if (opened === undefined) return [connection];
      if (!removed.has(holder)) return [];
      if (opened.connection !== null) return [connection];
      opened.connection = connection;
      return [];
    });
  }

  [Symbol.iterator](): Iterator<Dialer> {
    return this.#all[Symbol.iterator]();
  }

  get all(): readonly Dialer[] {
    return this.#all;
  }

  /** Whether any address belongs to another daemon. */
  get hasOthers(): boolean {
    return this.#all.some(({ isSelf }) => !isSelf);
  }

  /** The addresses of the daemons that have answered, with their last answers. */
  get answers(): readonly (readonly [address: string, answer: "admitted" | CloseCode])[] {
    return this.#all.flatMap(({ name, answer, isSelf }) =>
      answer === null || isSelf ? [] : [[name, answer] as const],
    );
  }

  has(id: ByteString): boolean {
    return this.#all.some((dialer) => dialer.id === id);
  }

  of(connection: MemberConnection): Dialer | undefined {
    return this.#all.find((dialer) => dialer.connection === connection);
  }

  /** Whether the daemon at an address is connected already, or is being connected to at another address. */
  isCovered({ id, address }: Dialer, members: ReadonlyMap<ByteString, unknown>): boolean {
    if (id === null) return false;
    const isTried = this.#all.some(
      (other) => other.address !== address && other.id === id && other.connection !== null,
    );
    return isTried || members.has(id);
  }

  /**
   * Assigns the connection to a daemon to another address that still leads to it, so that the address that the
   * connection was opened to is the next one that is checked.
   */
  reassign(connection: MemberConnection, checked: Dialer): void {
    const holder = this.of(connection);
    if (holder === undefined) return;
    holder.connection = null;
    checked.connection = connection;
  }

  /** Whether another address has led to the same daemon. */
  isAmbiguous({ id, address }: Dialer): boolean {
    return id !== null && this.#all.some((other) => other.address !== address && other.id === id);
  }

  /** SubjectPublicKeyInfo of a daemon's key, or null if no daemon at these addresses has proved that it has that id. */
  spkiOf(id: ByteString): ByteString | null {
    return this.#all.find((dialer) => dialer.id === id)?.spki ?? null;
  }
}
