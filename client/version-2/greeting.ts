/**
 * What a daemon says of itself when it is greeted, on a connection made for that alone: for `dbsync status` and `doctor`,
 * which ask each daemon by itself. Source: docs/protocol-v2.md "hello".
 */
import { unreadable } from "../../protocol/errors.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
import {
  type DaemonMessage,
  type Hello,
  KNOWS_UNSIGNED,
  readDaemonMessage,
  writeHello,
} from "../../protocol/version-2/messages-v2.js";
import type { ClientSocket, Environment, SocketError } from "../shared/environment.js";
import type { Stage } from "../shared/errors.js";
import type { Address } from "../shared/servers.js";

/** One hello after the other, of which the fastest tells most about the clock. */
const HELLOS = 3;

/** A hello is short. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/**
 * - `hello`: times in milliseconds. `clockDifference`: its clock minus this machine's, right to half of `roundTrip`.
 * - `closed`: it closed on the hello without a word, as daemons do that speak version 1 only.
 */
export type Greeting =
  | {
      readonly kind: "hello";
      readonly hello: Hello;
      readonly connecting: number;
      readonly roundTrip: number;
      readonly clockDifference: number;
    }
  | { readonly kind: "closed"; readonly connecting: number }
  | { readonly kind: "failed"; readonly stage: Stage; readonly detail: string };

/**
 * Greets a daemon. Never rejects.
 * @param options.timeout  milliseconds until it has failed
 * @param options.hasKey   whether what is sent to it will be signed, which a daemon without keys does not take
 */
export function greet(
  address: Address,
  environment: Environment,
  { timeout, hasKey }: { readonly timeout: number; readonly hasKey: boolean },
): Promise<Greeting> {
  return new Promise((resolve) => {
    const done = (greeting: Greeting) => {
      timer.cancel();
      resolve(greeting);
    };
    const greeter = new Greeter(address, environment, { hasKey, done });
    const timer = environment.setTimer(timeout, () => greeter.giveUp());
  });
}

interface GreeterParts {
  readonly hasKey: boolean;
  readonly done: (greeting: Greeting) => void;
}

class Greeter {
  readonly #environment: Environment;
  readonly #parts: GreeterParts;
  readonly #socket: ClientSocket;
  readonly #parser = new FrameParser(MAX_MESSAGE_BYTES, 2);
  readonly #startedAt: number;
  #connecting = -1;
  #sentAt = 0;
  #sentWall = 0;
  #hasHeard = false;
  #answers = 0;
  #isOver = false;
  /** The fastest so far. */
  #best: Extract<Greeting, { kind: "hello" }> | null = null;

  constructor(address: Address, environment: Environment, parts: GreeterParts) {
    this.#environment = environment;
    this.#parts = parts;
    this.#startedAt = environment.now();
    this.#socket = environment.openSocket(address, {
      opened: () => {
        this.#connecting = environment.now() - this.#startedAt;
        this.#ask();
      },
      received: (chunk) => this.#received(chunk),
      closed: (error) => this.#closed(error),
    });
  }

  giveUp(): void {
    const detail =
      this.#connecting < 0
        ? "no answer to the attempt to connect"
        : "connected, but the hello was not answered";
    this.#end({ kind: "failed", stage: this.#connecting < 0 ? "connect" : "timeout", detail });
  }

  #ask(): void {
    this.#sentAt = this.#environment.now();
    this.#sentWall = this.#environment.wallClock();
    const clock = Math.floor(this.#sentWall);
    const hello = writeHello({
      kind: "hello",
      versions: [2],
      daemon: "",
      cluster: "",
      clock,
      state: "",
      role: "client",
      knows: this.#parts.hasKey ? undefined : [KNOWS_UNSIGNED],
    });
    this.#socket.write(Buffer.from(writeFrame(hello, 2), "latin1"));
  }

  #received(chunk: Buffer): void {
    this.#hasHeard = true;
    try {
      for (const payload of this.#parser.push(chunk)) {
        this.#take(readDaemonMessage(payload));
        if (this.#isOver) return;
      }
      if (this.#parser.malformed !== null) throw this.#parser.malformed;
    } catch (error) {
      this.#end({ kind: "failed", stage: "garbage", detail: unreadable(error) });
    }
  }

  #take(message: DaemonMessage): void {
    if (message.kind === "hello") this.#greeted(message);
    else if (message.kind === "refused")
      this.#end({ kind: "failed", stage: "refused", detail: `${message.code}: ${message.sentence}` });
  }

  #greeted(hello: Hello): void {
    const roundTrip = this.#environment.now() - this.#sentAt;
    // Half-way between question and answer; the daemon tells whole milliseconds.
    const clockDifference = hello.clock + 0.5 - (this.#sentWall + roundTrip / 2);
    if (this.#best === null || roundTrip < this.#best.roundTrip)
      this.#best = { kind: "hello", hello, connecting: this.#connecting, roundTrip, clockDifference };
    if (++this.#answers === HELLOS) this.#end(this.#best);
    else this.#ask();
  }

  #closed(error: SocketError | null): void {
    const seen = error === null ? "" : (error.code ?? error.message);
    if (error?.stage !== undefined) this.#end({ kind: "failed", stage: error.stage, detail: error.message });
    else if (this.#connecting < 0)
      this.#end({
        kind: "failed",
        stage: error?.syscall?.startsWith("getaddr") ? "dns" : "connect",
        detail: seen,
      });
    else if (!this.#hasHeard) this.#end({ kind: "closed", connecting: this.#connecting });
    else this.#end({ kind: "failed", stage: "lost", detail: seen });
  }

  /** Once: a socket that is destroyed tells nothing more. */
  #end(greeting: Greeting): void {
    this.#isOver = true;
    this.#socket.destroy();
    this.#parts.done(this.#best ?? greeting);
  }
}
