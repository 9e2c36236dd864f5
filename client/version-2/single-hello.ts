/**
 * Greets one daemon on a separate connection and reports the contents of its hello, for `dbsync status` and `doctor`.
 * Source: docs/protocol-v2.md "hello".
 */
import { type DaemonMessage, type Hello, readDaemonMessage } from "../../protocol/version-2/messages-v2.js";
import type { Environment } from "../shared/client-environment.js";
import type { Stage } from "../shared/errors.js";
import type { Address } from "../shared/server-list.js";
import { ConnectionV2, type ConnectionV2Owner } from "./connection-v2.js";

/** The number of hellos. The fastest answer gives the best estimate of the clock. */
const HELLOS = 3;

/** The maximum length of a message. Hellos are short. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/**
 * The result of a greeting:
 * - `hello`: times are in milliseconds. `clockDifference` is the daemon's clock minus this machine's clock, exact to
 *   half of `roundTrip`.
 * - `closed`: the daemon closed the connection without an answer to the hello, as daemons do that speak only version 1.
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
 * @param timeout  the milliseconds after which the greeting fails
 */
export function readHello(address: Address, environment: Environment, timeout: number): Promise<Greeting> {
  return new Promise((resolve) => {
    const done = (greeting: Greeting) => {
      timer.cancel();
      resolve(greeting);
    };
    const greeter = new Greeter(address, environment, done);
    const timer = environment.setTimer(timeout, () => greeter.giveUp());
  });
}

class Greeter implements ConnectionV2Owner {
  readonly cluster = "";
  /** Not used, because no envelope follows the hellos. */
  readonly isSigned = true;
  readonly others = null;
  readonly #environment: Environment;
  readonly #done: (greeting: Greeting) => void;
  readonly #connection: ConnectionV2;
  readonly #startedAt: number;
  #connecting = -1;
  #sentAt = 0;
  #sentWall = 0;
  #answers = 0;
  /** The fastest greeting so far. */
  #best: Extract<Greeting, { kind: "hello" }> | null = null;

  constructor(address: Address, environment: Environment, done: (greeting: Greeting) => void) {
    this.#environment = environment;
    this.#done = done;
    this.#startedAt = environment.now();
    this.#connection = new ConnectionV2({
      address,
      environment,
      owner: this,
      read: readDaemonMessage,
      trace: null,
      now: this.#startedAt,
      maxMessageBytes: MESSAGE_BYTES_MAX,
    });
  }

  giveUp(): void {
    const isConnecting = this.#connecting < 0;
    const detail = isConnecting
      ? "the connection attempt was not answered"
      : "connected, but the hello was not answered";
    this.#end({ kind: "failed", stage: isConnecting ? "connect" : "timeout", detail });
  }

  opened(now: number): void {
    this.#connecting = now - this.#startedAt;
    this.#sentAt = now;
    this.#sentWall = this.#environment.wallClock() - (this.#environment.now() - now);
  }

  receive(message: DaemonMessage, now: number): void {
    if (message.kind === "hello") this.#greeted(message, now);
    else if (message.kind === "refused")
      this.#end({ kind: "failed", stage: "refused", detail: `${message.code}: ${message.sentence}` });
  }

  chunkEnded(): void {}

  disconnected(stage: Stage, detail: string): void {
    if (stage === "lost" && !this.#connection.hasReceived)
      this.#end({ kind: "closed", connecting: this.#connecting });
    else this.#end({ kind: "failed", stage, detail });
  }

  #greeted(hello: Hello, now: number): void {
    const roundTrip = now - this.#sentAt;
    // Assume that the daemon read its clock in the middle of the round trip. It sends whole milliseconds, so the exact
    // time was half a millisecond later on average.
    const clockDifference = hello.clock + 0.5 - (this.#sentWall + roundTrip / 2);

    if (this.#best === null || roundTrip < this.#best.roundTrip)
      this.#best = { kind: "hello", hello, connecting: this.#connecting, roundTrip, clockDifference };
    if (++this.#answers === HELLOS) {
      this.#end(this.#best);
      return;
    }

    this.#sentAt = this.#environment.now();
    this.#sentWall = this.#environment.wallClock();
    this.#connection.greet();
  }

  #end(greeting: Greeting): void {
    this.#connection.close();
    this.#done(this.#best ?? greeting);
  }
}
