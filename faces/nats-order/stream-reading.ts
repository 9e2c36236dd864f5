import type { JetStreamManager } from "@nats-io/jetstream";
import {
  createInbox,
  type Msg,
  type NatsConnection,
  nanos,
  type Subscription,
} from "@nats-io/transport-node";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import type { TimelineLogger } from "../../daemon/timeline/entries/timeline-logger.js";
import type { StreamMessage, StreamReader } from "./order-stream.js";

/** Milliseconds between two heartbeats. */
const HEARTBEAT_MS = 1000;
/** Milliseconds without a heartbeat after which the connection is closed. */
const SILENCE_MS = 3500;
/** Milliseconds after which NATS forgets a reader that has disconnected. */
const FORGET_MS = 30_000;
const NANOS_PER_MS = 1_000_000;
/** The status code of a message from NATS itself. */
const CONTROL = 100;

/**
 * The reading of a stream in order over one connection, beginning at a sequence. NATS pushes the messages, and sends a
 * heartbeat each second. If a message is missing, or heartbeats stop, the connection is closed, and the next connection
 * continues after the last received message.
 */
export class StreamReading {
  readonly #connection: NatsConnection;
  readonly #reader: StreamReader;
  readonly #environment: Environment;
  readonly #log: TimelineLogger;
  #subscription: Subscription | null = null;
  #cancel = () => {};
  #isStopped = false;

  /** @param connection  the connection to read over, which is closed if reading cannot continue */
  constructor(
    connection: NatsConnection,
    reader: StreamReader,
    environment: Environment,
    log: TimelineLogger,
  ) {
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
        else if (!this.#isStopped) this.#receive(message, inbox);
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
      idle_heartbeat: nanos(HEARTBEAT_MS),
      inactive_threshold: nanos(FORGET_MS),
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#subscription?.unsubscribe();
    this.#subscription = null;
  }

  #receive(message: Msg, inbox: string): void {
    this.#watch();
    if (message.subject === inbox && message.headers?.code === CONTROL) {
      this.#control(message);
      return;
    }
    const position = positionOf(message.reply ?? "");
    const reader = this.#reader;
    if (position === null || position.seq < reader.next - 1) return;
    if (position.seq > reader.next) void this.#fail(`message ${reader.next} is missing`);
    else this.#passToReader({ ...position, data: bufferOf(message.data) });
  }

  /**
   * Passes a message to the reader. An exception in the reader ends the process, as anywhere else. Without this code
   * the connection would catch it and continue.
   */
  #passToReader(message: StreamMessage): void {
    const reader = this.#reader;
    try {
      if (message.seq === reader.next) reader.message(message);
      else {
        const problem = reader.checkRepeated(message);
        if (problem !== null) void this.#fail(problem);
      }
    } catch (problem) {
      this.stop();
      setImmediate(() => {
        throw problem;
      });
    }
  }

  /** Handles a heartbeat, or the server's request to confirm that all messages have been received. */
  #control(message: Msg): void {
    const replySubject = message.reply || message.headers?.get("Nats-Consumer-Stalled") || "";
    if (replySubject !== "") this.#connection.publish(replySubject);
    if (Number(message.headers?.get("Nats-Last-Stream") ?? 0) >= this.#reader.next)
      void this.#fail("messages are missing");
  }

  #watch(): void {
    this.#cancel();
    this.#cancel = this.#environment.setTimer(SILENCE_MS, this.#onSilence);
  }

  readonly #onSilence = (): void => void this.#fail("no more messages arrive");

  /** Closes a connection over which reading cannot continue. */
  async #fail(reason: string): Promise<void> {
    if (this.#isStopped) return;
    this.stop();
    try {
      await this.#connection.close();
    } catch {
      this.#log.warn({ reason }, "the connection to NATS could not be closed");
    }
  }
}

/**
 * Parses `$JS.ACK.<stream>.<consumer>.<count>.<seq>.<delivery>.<nanoseconds>.<pending>`. Domain and account may precede
 * it.
 */
function positionOf(reply: string): { seq: number; at: number } | null {
  const parts = reply.split(".");
  if (parts[0] !== "$JS" || parts[1] !== "ACK" || parts.length < 9) return null;
  const from = parts.length === 9 ? 5 : 7;
  return { seq: Number(parts[from]), at: Math.floor(Number(parts[from + 2]) / NANOS_PER_MS) };
}

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength);
