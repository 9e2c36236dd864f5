/**
 * Reads a stream over one connection, from a sequence on, in order. NATS pushes. After a missing message, or silence
 * where it sends a heartbeat each second, reading starts again after what was received.
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
import type { TimelineLog } from "../../timeline/entries/timeline-log.js";
import type { StreamMessage, StreamReader } from "./order-stream.js";

/** Milliseconds between two heartbeats. */
const LIFE_MS = 1000;
/** Milliseconds without a heartbeat after which the connection is closed. */
const SILENCE_MS = 3500;
/** Milliseconds after which NATS forgets a reader that is gone. */
const FORGET_MS = 30_000;
const NANOS_A_MS = 1_000_000;
/** The status of a message that NATS itself sends. */
const CONTROL = 100;

export class StreamReading {
  readonly #connection: NatsConnection;
  readonly #reader: StreamReader;
  readonly #environment: Environment;
  readonly #log: TimelineLog;
  #subscription: Subscription | null = null;
  #cancel = () => {};
  #isStopped = false;

  /** @param connection  closed when nothing can be read over it any longer */
  constructor(connection: NatsConnection, reader: StreamReader, environment: Environment, log: TimelineLog) {
    this.#connection = connection;
    this.#reader = reader;
    this.#environment = environment;
    this.#log = log;
  }

  async start(manager: JetStreamManager, stream: string): Promise<void> {
    const inbox = createInbox();
    this.#subscription = this.#connection.subscribe(inbox, {
      callback: (problem, message) => {
        if (problem !== null) void this.#fail(problem.message);
        else if (!this.#isStopped) this.#took(message, inbox);
      },
    });
    this.#watch();
    await manager.consumers.add(stream, {
      deliver_subject: inbox,
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(1, this.#reader.next - 1),
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
    const reader = this.#reader;
    if (place === null || place.seq < reader.next - 1) return;
    if (place.seq > reader.next) void this.#fail(`message ${reader.next} lacks`);
    else this.#hand({ ...place, data: bufferOf(message.data) });
  }

  /**
   * Passes a message to the reader. An exception there is not the connection's fault, which would go on: it ends the
   * process, as anywhere else.
   */
  #hand(message: StreamMessage): void {
    const reader = this.#reader;
    try {
      if (message.seq === reader.next) reader.message(message);
      else {
        const problem = reader.again(message);
        if (problem !== null) void this.#fail(problem);
      }
    } catch (problem) {
      this.stop();
      setImmediate(() => {
        throw problem;
      });
    }
  }

  /** Takes a heartbeat, or the question whether all has been received. */
  #control(message: Msg): void {
    const asked = message.reply || message.headers?.get("Nats-Consumer-Stalled") || "";
    if (asked !== "") this.#connection.publish(asked);
    if (Number(message.headers?.get("Nats-Last-Stream") ?? 0) >= this.#reader.next)
      void this.#fail("messages lack");
  }

  #watch(): void {
    this.#cancel();
    this.#cancel = this.#environment.setTimer(SILENCE_MS, this.#onSilence);
  }

  readonly #onSilence = (): void => void this.#fail("nothing comes any more");

  /** Closes the connection, over which nothing can be read any longer. */
  async #fail(reason: string): Promise<void> {
    if (this.#isStopped) return;
    this.stop();
    try {
      await this.#connection.close();
    } catch {
      this.#log.warn({ reason }, "not closed");
    }
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
