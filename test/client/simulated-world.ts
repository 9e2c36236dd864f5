/**
 * The clock, the timers and the version 1 servers of one simulated run. Only the seed determines the events. A client
 * that violates a rule for sockets or timers fails immediately.
 */
import assert from "node:assert/strict";
import type {
  ClientEnvironment,
  DaemonSocket,
  SocketError,
  SocketEvents,
  Timer,
} from "../../client/shared/client-environment.js";
import type { Endpoint } from "../../client/shared/server-list.js";
import { FrameParser } from "../../protocol/frame.js";
import type { SeededRandom } from "../support/seeded-random.js";
import type { FakeDaemon } from "./fake-daemon-v2.js";
import { ANSWER, commandIn, SimulatedSocketV2 } from "./simulated-socket-v2.js";

/** The moods of a server, in both versions; `refuse` and `swallow` apply to new connections. */
export const MOODS = [
  "answer",
  "answer",
  "answer",
  "slow",
  "nil",
  "hang",
  "refuse",
  "swallow",
  "unresolved",
  "close",
  "reset",
  "mid-frame",
  "garbage",
  "close-after",
] as const;

export type Mood = (typeof MOODS)[number];

/** A server. Its mood may change at any time. */
export interface SimulatedServer {
  mood: Mood;
  /** The daemon that answers new connections in version 2, or null if they are answered in version 1. */
  daemon: FakeDaemon | null;
  /** The texts of the received commands, in the order of arrival. */
  readonly received: string[];
}

/** A call. `command` is the text that servers record when they receive the command. */
export interface SimulatedCall {
  readonly command: string;
  readonly startedAt: number;
  readonly settledAt: number | null;
}

/**
 * Checks that each daemon receives each command at most once, and in order: if one call began after another had
 * settled, its command arrives after that of the other call.
 */
export function judgeOrder({ servers }: SimulatedWorld, calls: readonly SimulatedCall[]): void {
  const numbers = new Map(calls.map((call) => [call.command, call]));
  for (const server of servers.values()) {
    // The client may send a reading command again, together with later calls.
    const received = server.received.filter((command) => !command.startsWith("GET "));
    assert.equal(new Set(received).size, received.length, "no command is sent twice to a daemon");
    // The calls of commands that have arrived earlier must not have begun after the call of this command settled.
    let latestStart = -1;
    for (const command of received) {
      const { startedAt, settledAt } = numbers.get(command) as SimulatedCall & { settledAt: number };
      assert.ok(
        settledAt >= latestStart,
        `${command} was overtaken by a call that began after it had settled`,
      );
      latestStart = Math.max(latestStart, startedAt);
    }
  }
}

interface Event {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
}

export class SimulatedWorld implements ClientEnvironment {
  time = 0;
  openSockets = 0;
  /**
   * The timers that have neither fired nor been cancelled. The value is true for a timer that keeps the process
   * alive.
   */
  readonly timers = new Map<number, boolean>();
  readonly servers = new Map<string, SimulatedServer>();
  readonly #random: SeededRandom;
  /** The sockets that are connecting or have unaccepted bytes, with the time when that began. */
  readonly holdingSockets = new Map<object, number>();
  #events: Event[] = [];
  #count = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  now(): number {
    return this.time;
  }

  wallClock(): number {
    return 1_790_000_000_000 + this.time;
  }

  soon(run: () => void): void {
    this.at(0, run);
  }

  random(): number {
    return this.#random.below(1_000_000) / 1_000_000;
  }

  setTimer(ms: number, fire: () => void): Timer {
    assert.ok(ms >= 0 && Number.isFinite(ms));
    const id = ++this.#count;
    this.timers.set(id, true);
    this.at(ms, () => {
      if (this.timers.delete(id)) fire();
    });
    return {
      cancel: () => void this.timers.delete(id),
      keepProcessAlive: (held) => void (this.timers.has(id) && this.timers.set(id, held)),
    };
  }

  /** Returns whether a timer, or a socket that has been busy since before `time`, keeps the process alive. */
  isHeldSince(time: number): boolean {
    const timers = [...this.timers.values()];
    return timers.some((held) => held) || [...this.holdingSockets.values()].some((since) => since < time);
  }

  at(delay: number, run: () => void): void {
    this.#events.push({ time: this.time + delay, order: ++this.#count, run });
  }

  /** Runs all events up to a time. Promises settle between two events. */
  async runUntil(end: number, afterEach: () => void): Promise<void> {
    for (let next = this.#first(); next !== null && next.time <= end; next = this.#first()) {
      this.#events = this.#events.filter((event) => event !== next);
      this.time = next.time;
      next.run();
      await Promise.resolve();
      await Promise.resolve();
      afterEach();
    }
    this.time = end;
  }

  #first(): Event | null {
    return this.#events.toSorted((a, b) => a.time - b.time || a.order - b.order)[0] ?? null;
  }

  openSocket({ host }: Endpoint, events: SocketEvents): DaemonSocket {
    const server = this.servers.get(host) as SimulatedServer;
    const { daemon } = server;
    return daemon === null
      ? new SimulatedSocket(this, this.#random, server, events)
      : new SimulatedSocketV2(this, this.#random, { server, daemon, events });
  }
}

class SimulatedSocket implements DaemonSocket {
  readonly #world: SimulatedWorld;
  readonly #random: SeededRandom;
  readonly #server: SimulatedServer;
  readonly #events: SocketEvents;
  readonly #requests = new FrameParser(1 << 20);
  #isOpen = false;
  #isOver = false;
  #hasRequest = false;
  #unsent = 0;

  constructor(world: SimulatedWorld, random: SeededRandom, server: SimulatedServer, events: SocketEvents) {
    this.#world = world;
    this.#random = random;
    this.#server = server;
    this.#events = events;
    world.openSockets++;
    world.holdingSockets.set(this, world.time);
    this.#later(20, () => this.#connect());
  }

  unsentBytes(): number {
    return this.#unsent;
  }

  destroy(): void {
    if (!this.#isOver) this.#end();
  }

  write(bytes: Buffer): void {
    assert.ok(this.#isOpen && !this.#isOver, "bytes are written to an open connection");
    if (bytes.toString("latin1", 0, 4) === "ds2:") {
      this.#later(5, () => this.#close(null));
      return;
    }
    assert.ok(!this.#hasRequest, "one request is in flight on a connection");
    this.#hasRequest = true;
    const [payload] = this.#requests.split(bytes);
    if (this.#random.chance(0.05)) {
      this.#unsent = bytes.length;
      this.#world.holdingSockets.set(this, this.#world.time);
    }
    this.#later(5, () => {
      this.#server.received.push(commandIn(payload as Buffer));
      this.#react(this.#server.mood);
    });
  }

  /** Runs a step within `longest` milliseconds, unless the socket has been closed by then. */
  #later(longest: number, run: () => void): void {
    this.#world.at(this.#random.below(longest * 10) / 10, () => {
      if (!this.#isOver) run();
    });
  }

  #connect(): void {
    const { mood } = this.#server;
    if (mood === "refuse") this.#close({ message: "", code: "ECONNREFUSED", syscall: "connect" });
    else if (mood === "unresolved") this.#close({ message: "", code: "ENOTFOUND", syscall: "getaddrinfo" });
    else if (mood !== "swallow") {
      this.#isOpen = true;
      this.#world.holdingSockets.delete(this);
      this.#events.opened();
    }
  }

  #react(mood: Mood): void {
    const closeLater = () => this.#later(5, () => this.#close(null));
    if (mood === "slow") this.#respond(ANSWER, 2_000);
    else if (mood === "nil") this.#respond("ds:1:\0", 10);
    else if (mood === "close") closeLater();
    else if (mood === "reset")
      this.#later(10, () => this.#close({ message: "", code: "EPIPE", syscall: "write" }));
    else if (mood === "garbage") this.#respond("HTTP/1.1 400 Bad Request", 10);
    else if (mood === "mid-frame") this.#respond("ds:11:redis", 10, closeLater);
    else if (mood === "close-after") this.#respond(ANSWER, 10, closeLater);
    else if (mood !== "hang") this.#respond(ANSWER, 10);
  }

  /** Sends an answer in two pieces at different times. */
  #respond(bytes: string, longest: number, then: () => void = () => {}): void {
    const cut = this.#random.below(bytes.length);
    this.#later(longest, () => {
      if (cut > 0) this.#events.received(Buffer.from(bytes.slice(0, cut)));
      this.#later(3, () => {
        this.#hasRequest = false;
        this.#unsent = 0;
        this.#world.holdingSockets.delete(this);
        this.#events.received(Buffer.from(bytes.slice(cut)));
        if (!this.#isOver) then();
      });
    });
  }

  #close(error: SocketError | null): void {
    this.#end();
    this.#events.closed(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#world.openSockets--;
    this.#world.holdingSockets.delete(this);
  }
}
