/** A simulated connection to a fake version 2 daemon. Bytes arrive late, in pieces and in order, or not at all. */
import assert from "node:assert/strict";
import type { ClientSocket, SocketError, SocketEvents } from "../../client/shared/client-environment.js";
import type { SeededRandom } from "../support/seeded-random.js";
import type { FakeDaemon } from "./fake-daemon-v2.js";

/** The version 1 answer to every command. */
export const ANSWER = "ds:11:redis:3:OK\0";

/** Returns the command of a version 1 request, without its signature. */
export const commandIn = (request: Buffer): string =>
  /[A-Z]+ \w+/.exec(request.toString("latin1"))?.[0] ?? "";

/** The parts of the simulated world that a socket uses. */
interface World {
  readonly time: number;
  openSockets: number;
  readonly holdingSockets: Map<object, number>;
  at(delay: number, run: () => void): void;
}

interface Parts {
  readonly server: { readonly mood: string; readonly received: string[] };
  readonly daemon: FakeDaemon;
  readonly events: SocketEvents;
}

export class SimulatedSocketV2 implements ClientSocket {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #parts: Parts;
  readonly #take: (chunk: Buffer) => Buffer[];
  #isOpen = false;
  #isOver = false;
  /** Whether the daemon has stopped reading. */
  #isDeaf = false;
  #unsent = 0;
  /** The times at which the last bytes of each direction arrive. */
  #arrival = { there: 0, back: 0 };

  constructor(world: World, random: SeededRandom, parts: Parts) {
    this.#world = world;
    this.#random = random;
    this.#parts = parts;
    this.#take = parts.daemon.connection();
    world.openSockets++;
    world.holdingSockets.set(this, world.time);
    this.#later("there", 20, () => this.#connect());
  }

  unsentBytes(): number {
    return this.#unsent;
  }

  destroy(): void {
    if (!this.#isOver) this.#end();
  }

  write(bytes: Buffer): void {
    assert.ok(this.#isOpen && !this.#isOver, "bytes are written to an open connection");
    if (this.#random.chance(0.05)) {
      this.#unsent = bytes.length;
      this.#world.holdingSockets.set(this, this.#world.time);
    }
    this.#later("there", 5, () => this.#react(bytes));
  }

  /**
   * Runs a step at a random time within `longest` milliseconds, after earlier steps of that direction, unless the
   * socket has been closed by then.
   */
  #later(way: "there" | "back", longest: number, run: () => void): void {
    const time = this.#world.time + this.#random.below(longest * 10) / 10;
    this.#arrival[way] = Math.max(this.#arrival[way], time);
    this.#world.at(this.#arrival[way] - this.#world.time, () => {
      if (!this.#isOver) run();
    });
  }

  #connect(): void {
    const { mood } = this.#parts.server;
    if (mood === "refuse") this.#close({ message: "", code: "ECONNREFUSED", syscall: "connect" });
    else if (mood === "unresolved") this.#close({ message: "", code: "ENOTFOUND", syscall: "getaddrinfo" });
    else if (mood !== "swallow") {
      this.#isOpen = true;
      this.#world.holdingSockets.delete(this);
      this.#parts.events.opened();
    }
  }

  #react(bytes: Buffer): void {
    const { server, daemon } = this.#parts;
    const { mood } = server;
    if (bytes.toString("latin1", 0, 3) === "ds:") {
      server.received.push(commandIn(bytes));
      this.#respond([Buffer.from(ANSWER)], mood === "slow" ? 2_000 : 10);
      return;
    }

    const closes = () => this.#later("back", 5, () => this.#close(null));
    // A daemon that closes on a hello would appear to speak version 1.
    const isHello = bytes.includes("hello");
    const isClosing = mood === "close" && !isHello;
    if (isClosing && !this.#isDeaf) closes();

    // A stream has no gaps: after unread bytes the daemon reads nothing further, even if its mood changes.
    this.#isDeaf ||= mood === "hang" || isClosing;
    if (this.#isDeaf) return;

    const before = daemon.applied.length;
    const answers = this.#take(bytes);
    for (const { envelope } of daemon.applied.slice(before)) {
      for (const argv of envelope.commands) server.received.push(argv.join(" "));
    }

    this.#unsent = 0;
    this.#world.holdingSockets.delete(this);
    if (mood === "garbage") this.#respond([Buffer.from("HTTP/1.1 400 Bad Request")], 10);
    else if (mood === "reset" && !isHello)
      this.#later("back", 10, () => this.#close({ message: "", code: "EPIPE", syscall: "write" }));
    else if (mood === "mid-frame" && !isHello) {
      this.#respond(
        answers.map((answer) => answer.subarray(0, answer.length - 1)),
        10,
      );
      closes();
    } else {
      this.#respond(answers, mood === "slow" ? 2_000 : 10);
      if (mood === "close-after") closes();
    }
  }

  /** Sends each answer in two pieces at different times. */
  #respond(answers: readonly Buffer[], longest: number): void {
    for (const answer of answers) {
      const cut = this.#random.below(answer.length);
      if (cut > 0) this.#later("back", longest, () => this.#parts.events.received(answer.subarray(0, cut)));
      this.#later("back", 3, () => this.#parts.events.received(answer.subarray(cut)));
    }
  }

  #close(error: SocketError | null): void {
    this.#end();
    this.#parts.events.closed(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#world.openSockets--;
    this.#world.holdingSockets.delete(this);
  }
}
