/**
 * A simulated network. Members' connections are ordered streams like TCP: a lost segment delays all later segments, and
 * a long cut breaks the connection and loses the data in flight. Clients' messages travel individually: they may be
 * lost, duplicated or delayed, and they arrive in any order.
 */
import type { SeededRandom } from "../support/seeded-random.js";
import type { Processor, Scheduler } from "./scheduler.js";

/** The path from one host to another, in one direction. */
export interface Link {
  isCut: boolean;
  /** Minimum and maximum delay in milliseconds. */
  delay: readonly [number, number];
  /** The chance that a segment or message is lost. */
  loss: number;
}

export interface Conditions {
  delay: readonly [number, number];
  loss: number;
  /** The chance that a client's message arrives twice. */
  doubling: number;
  /** The chance that a chunk of a stream is split. */
  cutting: number;
}

/** The functions that an end of a connection calls in its process when an event occurs. */
export interface EndOwner {
  received(chunk: Buffer): void;
  closed(reason: string): void;
}

/**
 * Milliseconds after which a connection breaks if its peer receives nothing. Until then, lost segments are sent
 * again.
 */
const BREAKS_AFTER_MS: readonly [number, number] = [4_000, 12_000];
const RESENT_AFTER_MS: readonly [number, number] = [50, 600];
const CHECK_AGAIN_MS = 100;

export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #links = new Map<string, Link>();
  readonly #connections = new Set<Connection>();
  readonly conditions: Conditions = { delay: [0.2, 3], loss: 0, doubling: 0, cutting: 0.05 };

  constructor(scheduler: Scheduler, random: SeededRandom) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  link(from: string, to: string): Link {
    const name = `${from}>${to}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = { isCut: false, delay: [0, 0], loss: 0 };
      this.#links.set(name, link);
    }
    return link;
  }

  /** Repairs all links; broken connections stay broken. */
  heal(): void {
    this.#links.clear();
    Object.assign(this.conditions, { delay: [0.2, 3], loss: 0, doubling: 0 });
  }

  /** Sends one message outside a connection. */
  send(from: string, to: string, arrive: () => void): void {
    const { loss, doubling } = this.conditions;
    const copies = this.#random.chance(doubling) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const link = this.link(from, to);
      if (link.isCut || this.#random.chance(loss) || this.#random.chance(link.loss)) continue;
      this.#scheduler.after(this.delayOf(from, to), null, arrive);
    }
  }

  delayOf(from: string, to: string): number {
    const own = this.link(from, to).delay;
    const common = this.conditions.delay;
    return this.within(own) + this.within(common);
  }

  within([minimum, maximum]: readonly [number, number]): number {
    return minimum + ((maximum - minimum) * this.#random.below(1000)) / 1000;
  }

  isLost(from: string, to: string): boolean {
    return this.#random.chance(this.conditions.loss) || this.#random.chance(this.link(from, to).loss);
  }

  chance(probability: number): boolean {
    return this.#random.chance(probability);
  }

  below(n: number): number {
    return this.#random.below(n);
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  join(connection: Connection): void {
    this.#connections.add(connection);
  }

  leave(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Breaks the connections of a killed process, as its operating system does. */
  breakAllOf(isAlive: () => boolean): void {
    for (const connection of [...this.#connections]) {
      if (connection.near.isOf(isAlive) || connection.far.isOf(isAlive)) connection.breakDown("reset");
    }
  }

  /** Breaks one connection for both ends. */
  breakOne(): void {
    const all = [...this.#connections];
    if (all.length > 0) all[this.#random.below(all.length)]?.breakDown("reset");
  }

  get connections(): number {
    return this.#connections.size;
  }
}

/** An established connection with its two ends. */
export class Connection {
  readonly near: End;
  readonly far: End;
  readonly #network: Network;

  constructor(network: Network, near: SimulatedProcess, far: SimulatedProcess) {
    this.#network = network;
    this.near = new End(this, network, near, far);
    this.far = new End(this, network, far, near);
    network.join(this);
  }

  other(end: End): End {
    return end === this.near ? this.far : this.near;
  }

  /** Breaks the connection. Each end notices it at its own time. */
  breakDown(reason: string): void {
    this.#network.leave(this);
    for (const end of [this.near, this.far]) end.lose(reason, this.#network.within([0, 50]));
  }
}

/** A process on a host. */
export interface SimulatedProcess {
  readonly host: string;
  readonly processor: Processor;
  readonly isAlive: () => boolean;
}

/** One end of a connection, as seen by its process. */
export class End {
  readonly binding: Buffer | null = null;
  readonly remote: string;
  owner: EndOwner | null = null;
  readonly #connection: Connection;
  readonly #network: Network;
  readonly #own: SimulatedProcess;
  readonly #peer: SimulatedProcess;
  /** Data that has not reached the peer's system. */
  readonly #outgoing: Buffer[] = [];
  #unsent = 0;
  #isSending = false;
  #isClosing = false;
  #isOver = false;
  #stuckSince: number | null = null;
  #patience: number;

  constructor(connection: Connection, network: Network, own: SimulatedProcess, peer: SimulatedProcess) {
    this.#connection = connection;
    this.#network = network;
    this.#own = own;
    this.#peer = peer;
    this.remote = peer.host;
    this.#patience = network.within(BREAKS_AFTER_MS);
  }

  isOf(isAlive: () => boolean): boolean {
    return this.#own.isAlive === isAlive;
  }

  unsentBytes(): number {
    return this.#unsent;
  }

  write(bytes: Buffer): void {
    if (this.#isOver || this.#isClosing || !this.#own.isAlive()) return;
    const copied = Buffer.from(bytes);
    const cut = copied.length > 1 && this.#network.chance(this.#network.conditions.cutting);
    const at = cut ? 1 + this.#network.below(copied.length - 1) : copied.length;
    this.#outgoing.push(copied.subarray(0, at));
    if (cut) this.#outgoing.push(copied.subarray(at));
    this.#unsent += copied.length;
    this.#send();
  }

  /** Closes this end. Data written before is still sent; the owner receives no more events. */
  close(): void {
    if (this.#isClosing || this.#isOver || !this.#own.isAlive()) return;
    this.#isClosing = true;
    this.owner = null;
    this.#send();
  }

  /** Loses the connection. The process notices it some time later. */
  lose(reason: string, delay: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outgoing.length = 0;
    this.#unsent = 0;
    this.#network.scheduler.after(delay, this.#own.processor, () => {
      const { owner } = this;
      this.owner = null;
      if (this.#own.isAlive()) owner?.closed(reason);
    });
  }

  #send(): void {
    if (this.#isSending || this.#isOver) return;
    const chunk = this.#outgoing[0];
    if (chunk === undefined && !this.#isClosing) return;

    this.#isSending = true;
    const { scheduler } = this.#network;
    const [from, to] = [this.#own.host, this.#peer.host];

    if (this.#network.link(from, to).isCut) {
      this.#stuckSince ??= scheduler.time;
      if (scheduler.time - this.#stuckSince > this.#patience) {
        this.#isSending = false;
        this.#connection.breakDown("timed out");
        return;
      }
      this.#resumeAfter(CHECK_AGAIN_MS, false);
      return;
    }

    this.#stuckSince = null;
    if (this.#network.isLost(from, to)) {
      this.#resumeAfter(this.#network.within(RESENT_AFTER_MS), false);
      return;
    }
    this.#resumeAfter(this.#network.delayOf(from, to), true);
  }

  #resumeAfter(delay: number, arrives: boolean): void {
    this.#network.scheduler.after(delay, null, () => {
      this.#isSending = false;
      if (this.#isOver) return;
      if (arrives) this.#arrive();
      this.#send();
    });
  }

  #arrive(): void {
    const peer = this.#connection.other(this);
    // One segment carries all waiting data.
    const chunks = this.#outgoing.splice(0, this.#network.chance(0.7) ? this.#outgoing.length : 1);
    const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    this.#unsent -= bytes.length;
    if (!peer.#own.isAlive()) {
      // A dead machine sends nothing; a restarted one does not know this connection.
      if (this.#network.chance(0.3)) this.#connection.breakDown("reset");
      return;
    }
    if (bytes.length > 0) peer.#receive(bytes);
    if (this.#isClosing && this.#outgoing.length === 0) {
      this.#isOver = true;
      this.#network.leave(this.#connection);
      peer.lose("closed", 0);
    }
  }

  #receive(bytes: Buffer): void {
    this.#network.scheduler.after(0, this.#own.processor, () => {
      if (this.#own.isAlive()) this.owner?.received(bytes);
    });
  }
}
