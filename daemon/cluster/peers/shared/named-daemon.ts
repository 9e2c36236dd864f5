/**
 * Chooses the daemon that the sentinels of all connected daemons name (--sentinel). Each daemon states a choice with a
 * number, its epoch, and adopts a choice with a higher epoch. It makes a new choice only when the named daemon no
 * longer accepts writes. Has no timers: the caller calls `update`.
 * Source: docs/decisions/0073-which-daemon-sentinels-name.md.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { ServiceMessage } from "../../../../protocol/members/member-messages.js";
import type { ServiceAddress } from "../../../../protocol/members/service-address.js";
import { formatHost, isLoopback } from "../../../net/process/host-and-port.js";

/** The milliseconds between two statements of a daemon whose choice does not change. */
export const SERVICE_EVERY_MS = 500;
/** The longest time between two updates that counts, in milliseconds: this process may have stood still for longer. */
const UPDATE_MS_MAX = 250;
/**
 * The number by which a member's statement may raise the epoch. Without this limit, one statement could use up all
 * numbers.
 */
const EPOCH_STEP_MAX = 2 ** 20;

/** What a daemon states about itself. */
export interface OwnService {
  /** Whether it accepts writes of Redis clients, and /healthz reports it as healthy. */
  readonly acceptsWrites: boolean;
  /** The addresses of --resp and --sentinel; null: there is none. */
  readonly resp: ServiceAddress | null;
  readonly sentinel: ServiceAddress | null;
}

/** A daemon as a sentinel names it. */
export interface ServingDaemon {
  /** 32 bytes. */
  readonly id: ByteString;
  /** Its address for clients. The host is "" only for this daemon, if it listens on all addresses. */
  readonly address: ServiceAddress;
  /** Milliseconds since it last stated that it accepts writes; Infinity: it never has, or it no longer does. */
  readonly age: number;
}

/** The last sign of life of a daemon: a statement that it accepts writes. */
interface Sign {
  readonly id: ByteString;
  /** The number of the statement. */
  readonly serial: number;
  /**
   * When this daemon received the number, in milliseconds of the choice's own clock; -Infinity: it no longer counts.
   */
  readonly at: number;
}

/** A connected member, and its last statement. */
interface Known {
  readonly service: ServiceMessage;
  /** Its addresses for clients, or null if it has none that this daemon can use. */
  readonly resp: ServiceAddress | null;
  readonly sentinel: ServiceAddress | null;
  /** The address of the daemon that it names. */
  readonly named: ServiceAddress | null;
  /** When the statement arrived, in milliseconds of the choice's own clock. */
  readonly at: number;
}

export interface NamedDaemonParts {
  /** This daemon's id, 32 bytes. */
  readonly id: ByteString;
  /** Whether other daemons are configured. Then a daemon that starts waits for their choice before it makes one. */
  readonly hasPeers: () => boolean;
  /** Returns this daemon's own state, or null if it neither serves Redis clients nor runs a sentinel. */
  readonly own: () => OwnService | null;
  /** Milliseconds without a statement after which a daemon counts as down (--sentinel-down-after). */
  readonly downAfterMs: () => number;
  /** Milliseconds; never jumps. */
  readonly uptime: () => number;
  /**
   * The date of the start in milliseconds: the numbers of the statements begin here, so they are higher than before a
   * restart.
   */
  readonly startedAt: number;
}

export class NamedDaemon {
  readonly #parts: NamedDaemonParts;
  readonly #members = new Map<ByteString, Known>();
  /** The current choice. */
  #epoch = 0;
  #named: ByteString | null = null;
  #address: ServiceAddress | null = null;
  /**
   * The last sign of life of the named daemon, from itself or from members. Remains while none is named, so that the
   * same statement never counts twice.
   */
  #sign: Sign | null = null;
  /** Whether no process listens on the named daemon's port, as far as this daemon can see. */
  #isRefused = false;
  /** When this daemon last named another daemon, or itself; while it accepts no writes and names none, it advances. */
  #namedAt = 0;
  /** Milliseconds that have passed while this process ran. */
  #clock = 0;
  #updatedAt: number;
  /** Incremented when the statement has to be sent again immediately. */
  version = 0;

  constructor(parts: NamedDaemonParts) {
    this.#parts = parts;
    this.#updatedAt = parts.uptime();
  }

  /** This daemon's id, 32 bytes. */
  get id(): ByteString {
    return this.#parts.id;
  }

  /** Milliseconds without a statement after which a daemon counts as down. */
  get downAfterMs(): number {
    return this.#parts.downAfterMs();
  }

  /** Milliseconds since the current choice. */
  get namedFor(): number {
    return this.#clock - this.#namedAt;
  }

  /** The number of the current choice. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The daemon that this daemon names, or null if none that accepts writes is known. */
  get current(): ServingDaemon | null {
    const address = this.#named === this.#parts.id ? this.#own?.resp : this.#address;
    if (this.#named === null || !address) return null;
    return { id: this.#named, address, age: this.ageOf(this.#named) };
  }

  /** The connected daemons that accept writes, also this one, except for the named one, in the order of their ids. */
  get others(): readonly ServingDaemon[] {
    const found = this.#candidates().filter(({ id }) => id !== this.#named);
    return found.map(({ id, address }) => ({ id, address, age: this.ageOf(id) }));
  }

  /** The sentinels of connected daemons, in the order of the daemons' ids. */
  get sentinels(): readonly ServingDaemon[] {
    const found = [...this.#members].flatMap(([id, { sentinel, at }]) =>
      sentinel === null ? [] : [{ id, address: sentinel, age: this.#clock - at }],
    );
    return found.sort(byId);
  }

  /** Whether this daemon or a connected one runs a sentinel. */
  get hasSentinel(): boolean {
    return (this.#own?.sentinel ?? null) !== null || this.sentinels.length > 0;
  }

  /** The named daemon's address for people; the host is `*` if this daemon listens on all addresses. */
  get addressText(): string | null {
    const { current } = this;
    return current && formatHost({ ...current.address, host: current.address.host || "*" });
  }

  /** Returns the milliseconds since a daemon last stated that it accepts writes, or Infinity if it does not. */
  ageOf(id: ByteString): number {
    if (id === this.#parts.id) return this.#own?.acceptsWrites ? 0 : Number.POSITIVE_INFINITY;
    const direct = this.#members.get(id);
    let seenAt = this.#sign?.id === id ? this.#sign.at : Number.NEGATIVE_INFINITY;
    if (direct !== undefined && serves(direct)) seenAt = Math.max(seenAt, direct.at);
    // What a member states itself counts more than what others report, unless its link is silent.
    else if (direct !== undefined && this.#clock - direct.at <= this.downAfterMs)
      return Number.POSITIVE_INFINITY;
    if (id === this.#named && this.#isRefused && !this.#isVouchedFor(id)) return Number.POSITIVE_INFINITY;
    return this.#clock - seenAt;
  }

  /** Whether a daemon counts as down. */
  isDown(id: ByteString): boolean {
    return this.ageOf(id) > this.downAfterMs;
  }

  /** Returns what this daemon states to its members, or null if it states nothing. */
  statement(): ServiceMessage | null {
    const own = this.#own;
    if (own === null) return null;

    const { current } = this;
    const isNamed = current !== null && current.age <= this.downAfterMs && !this.#isRefused;
    const serial = this.#parts.startedAt + Math.floor(this.#clock);
    const seen = current?.id === this.#parts.id ? serial : (this.#sign?.serial ?? 0);

    return {
      kind: "service",
      serial,
      epoch: this.#epoch,
      named: isNamed ? current.id : null,
      seen: isNamed ? seen : 0,
      address: isNamed ? current.address : null,
      ...own,
    };
  }

  /**
   * Receives a member's statement.
   * @param remote  the member's address and port, as this daemon sees them
   * @returns whether this daemon's clients can use the addresses that the member states for itself
   */
  receive(id: ByteString, service: ServiceMessage, remote: string): boolean {
    const host = hostOf(remote);
    const known: Known = {
      service,
      resp: seenFrom(host, service.resp),
      sentinel: seenFrom(host, service.sentinel),
      named: service.named === this.#parts.id ? null : seenFrom(host, service.address),
      at: this.#clock,
    };

    this.#members.set(id, known);
    if (id === this.#sign?.id) this.#sign = signOf(id, known);
    if (id === this.#named) {
      this.#isRefused = false;
      this.#address = known.resp ?? this.#address;
    }

    this.#adopt(known);
    this.update();
    return (service.resp === null) === (known.resp === null);
  }

  disconnected(id: ByteString): void {
    this.#members.delete(id);
  }

  /**
   * Called when a daemon's port refuses a connection: its process has ended. If it is the named one, this daemon no
   * longer vouches for it, and makes a new choice as soon as no member does.
   */
  refused(id: ByteString): void {
    if (id !== this.#named || this.#members.has(id) || this.#isRefused) return;
    this.#isRefused = true;
    this.version++;
    this.update();
  }

  /** Makes a new choice if the named daemon no longer accepts writes. */
  update(): void {
    this.#advance();
    const own = this.#own;
    // A daemon that starts must not replace the choice of members that are not connected yet.
    if (!own?.acceptsWrites && this.#named === null && this.#epoch === 0) this.#namedAt = this.#clock;
    if (own === null) return;

    if (this.#named !== null) {
      if (!this.isDown(this.#named)) return;
      const [next = null] = this.#candidates().filter(({ id }) => id !== this.#named);
      if (next === null) this.#choose(this.#epoch, null, null);
      else this.#choose(this.#epoch + 1, next.id, next.address);
      return;
    }

    const isWaiting = this.#epoch === 0 && this.#parts.hasPeers() && this.#members.size === 0;
    if (isWaiting && this.#clock - this.#namedAt < this.downAfterMs) return;
    const [next = null] = this.#candidates();
    if (next !== null) this.#choose(this.#epoch + 1, next.id, next.address);
  }

  get #own(): OwnService | null {
    return this.#parts.own();
  }

  #advance(): void {
    const now = this.#parts.uptime();
    this.#clock += Math.min(now - this.#updatedAt, UPDATE_MS_MAX);
    this.#updatedAt = now;
  }

  /**
   * Adopts a member's choice if it is newer than this daemon's own. Of two choices at the same time, the lower id is
   * adopted.
   */
  #adopt({ service, named: stated }: Known): void {
    const { named, seen } = service;
    if (named === null) return;
    const isOwn = named === this.#parts.id;
    // What the named daemon states itself counts more than how other members see it.
    const address = this.#members.get(named)?.resp ?? stated;
    if (!isOwn && (address === null || !this.#notice(named, seen))) return;

    const epoch = Math.min(service.epoch, this.#epoch + EPOCH_STEP_MAX);
    const isNewer =
      epoch > this.#epoch || this.#named === null || (epoch === this.#epoch && named < this.#named);
    if (isNewer) {
      if (this.#sign?.id !== named) this.#sign = { id: named, serial: seen, at: this.#clock };
      this.#choose(Math.max(epoch, this.#epoch), named, address);
    } else if (named === this.#named) this.#address = address;
  }

  /**
   * Receives the number of a daemon's last statement from a member that names it. Only a higher number is a sign of
   * life: members that repeat an old one to each other do not keep a dead daemon alive, however long their links are.
   * @returns false if the daemon counts as down in spite of it
   */
  #notice(id: ByteString, serial: number): boolean {
    if (this.#sign?.id !== id) return true;
    if (serial > this.#sign.serial) this.#sign = { id, serial, at: this.#clock };
    return !this.isDown(id);
  }

  #choose(epoch: number, named: ByteString | null, address: ServiceAddress | null): void {
    if (named !== this.#named) {
      this.#isRefused = false;
      this.#namedAt = this.#clock;
    }

    this.#epoch = epoch;
    this.#named = named;
    this.#address = address;
    this.version++;

    const direct = named === null ? undefined : this.#members.get(named);
    if (named !== null && direct !== undefined && this.#sign?.id !== named)
      this.#sign = signOf(named, direct);
  }

  /** Whether a connected member names a daemon. */
  #isVouchedFor(id: ByteString): boolean {
    return [...this.#members].some(([member, { service }]) => member !== id && service.named === id);
  }

  /** Returns the connected daemons that can be named, also this one, in the order of their ids. */
  #candidates(): { readonly id: ByteString; readonly address: ServiceAddress }[] {
    const own = this.#own;
    const found = own?.resp && own.acceptsWrites ? [{ id: this.#parts.id, address: own.resp }] : [];
    for (const [id, { resp }] of this.#members)
      if (resp !== null && !this.isDown(id)) found.push({ id, address: resp });
    return found.sort(byId);
  }
}

/** Whether a member states that it can be named. */
const serves = ({ service, resp }: Known): boolean => service.acceptsWrites && resp !== null;

/** Returns the sign of life that a member's last statement is. */
const signOf = (id: ByteString, known: Known): Sign => ({
  id,
  serial: known.service.serial,
  at: serves(known) ? known.at : Number.NEGATIVE_INFINITY,
});

const byId = (one: { readonly id: ByteString }, other: { readonly id: ByteString }): number =>
  one.id < other.id ? -1 : 1;

/** Returns the host of an address with a port, without the brackets of IPv6 and the prefix of mapped IPv4. */
function hostOf(remote: string): string {
  return remote
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/^::ffff:(?=\d+\.)/i, "");
}

/**
 * Returns a member's address as this daemon's clients can use it, or null if they cannot: a loopback address of another
 * machine leads nowhere.
 * @param host  the host under which this daemon sees the member
 */
function seenFrom(host: string, address: ServiceAddress | null): ServiceAddress | null {
  if (address === null) return null;
  if (address.host === "") return { host, port: address.port };
  return isLoopback(address.host) === true && isLoopback(host) !== true ? null : address;
}
