/**
 * Reads a stream over one connection, from a sequence on, in order. NATS pushes; a message that lacks, or silence where it sends
 * a sign of life each second, lets the reading begin anew behind what came.
 */
import type { JetStreamManager } from "@nats-io/jetstream";
import {
  createInbox,
  type Msg,
  type NatsConnection,
  nanos,
  type Subscription,
} from "@nats-io/transport-node";
import type { Environment } from "../../net/process/environment.js";
import type { StreamMessage, StreamReader } from "./order-stream.js";

/** Milliseconds between two signs of life. */
const LIFE_MS = 1000;
/** After so long without one nothing comes any more. */
const SILENCE_MS = 3500;
/** NATS forgets who reads after so long without him. */
const FORGET_MS = 30_000;
const NANOS_A_MS = 1_000_000;
/** Of a message that NATS itself sends. */
const CONTROL = 100;

export interface StreamReadingParts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  readonly reader: StreamReader;
  /** Nothing can be read over this connection any more. */
  readonly failed: (reason: string) => void;
  readonly environment: Pick<Environment, "setTimer">;
}

export class StreamReading {
  readonly #parts: StreamReadingParts;
  #subscription: Subscription | null = null;
  #cancel = () => {};
  #isStopped = false;

  constructor(parts: StreamReadingParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { connection, manager, stream, reader } = this.#parts;
    const inbox = createInbox();
    this.#subscription = connection.subscribe(inbox, {
      callback: (problem, message) => {
        if (problem !== null) this.#fail(problem.message);
        else if (!this.#isStopped) this.#took(message, inbox);
      },
    });
    this.#watch();
    await manager.consumers.add(stream, {
      deliver_subject: inbox,
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(1, reader.next - 1),
      ack_policy: "none",
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      flow_control: true,
      idle_heartbeat: nanos(LIFE_MS),
      inactive_threshold: nanos(FORGET_MS),
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#subscription?.unsubscribe();
    this.#subscription = null;
  }

  #took(message: Msg, inbox: string): void {
    this.#watch();
    if (message.subject === inbox && message.headers?.code === CONTROL) {
      this.#control(message);
      return;
    }
    const place = placeOf(message.reply ?? "");
    const { reader } = this.#parts;
    if (place === null || place.seq < reader.next - 1) return;
    if (place.seq > reader.next) this.#fail(`message ${reader.next} lacks`);
    else this.#hand({ ...place, data: bufferOf(message.data) });
  }

  /** What fails there is no affair of the connection's, which would go on: it ends the process, as anywhere else. */
  #hand(message: StreamMessage): void {
    const { reader } = this.#parts;
    try {
      if (message.seq === reader.next) reader.message(message);
      else {
        const problem = reader.again(message);
        if (problem !== null) this.#fail(problem);
      }
    } catch (problem) {
      this.stop();
      setImmediate(() => {
        throw problem;
      });
    }
  }

  /** A sign of life, or the question whether all has been taken. */
  #control(message: Msg): void {
    const { connection, reader } = this.#parts;
    const asked = message.reply || message.headers?.get("Nats-Consumer-Stalled") || "";
    if (asked !== "") connection.publish(asked);
    if (Number(message.headers?.get("Nats-Last-Stream") ?? 0) >= reader.next) this.#fail("messages lack");
  }

  #watch(): void {
    this.#cancel();
    this.#cancel = this.#parts.environment.setTimer(SILENCE_MS, () => this.#fail("nothing comes any more"));
  }

  #fail(reason: string): void {
    if (this.#isStopped) return;
    this.stop();
    this.#parts.failed(reason);
  }
}

/** `$JS.ACK.<stream>.<consumer>.<count>.<seq>.<delivery>.<nanoseconds>.<pending>`, with domain and account before the stream, or not. */
function placeOf(reply: string): { seq: number; at: number } | null {
  const words = reply.split(".");
  if (words[0] !== "$JS" || words[1] !== "ACK" || words.length < 9) return null;
  const from = words.length === 9 ? 5 : 7;
  return { seq: Number(words[from]), at: Math.floor(Number(words[from + 2]) / NANOS_A_MS) };
}

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength);
