/**
 * A stream of NATS JetStream. It reconnects, and then continues reading at the same position. It detects lost messages
 * by a gap in the sequence numbers, or by missing heartbeats. The NATS packages are loaded with this module, which the
 * daemon loads only if --order is set.
 */
import { readFileSync } from "node:fs";
import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import {
  connect,
  createInbox,
  credsAuthenticator,
  errors,
  type Msg,
  type NatsConnection,
  nanos,
  type Subscription,
} from "@nats-io/transport-node";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { LogThrottle } from "../../daemon/net/process/log-throttle.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { OrderAddress } from "../../daemon/options/addresses/order-address.js";
import type { TimelineLogger } from "../../daemon/timeline/entries/timeline-logger.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { OrderStream, Published, StreamFacts, StreamMessage, StreamReader } from "./order-stream.js";

/** Timeouts of connecting and of publishing, and the interval between two pings, in milliseconds. */
const CONNECT_MS = 5000;
const PUBLISH_MS = 2000;
const PING_EVERY_MS = 2000;
const PINGS_UNANSWERED = 2;
/** The maximum milliseconds between two attempts to connect; the actual wait is random. */
const AGAIN_MS = 1000;
/** Milliseconds between two requests for the stream's state. */
const STATE_EVERY_MS = 5000;
/** Milliseconds for which the stream remembers the name of a message, to reject a second message with that name. */
const NAMES_MS = 120_000;
/** Bytes reserved for a message's name, subject and headers. */
const HEAD_BYTES = 1024;
/** JetStream's error for a stream that does not exist. */
const STREAM_NOT_FOUND = 10059;
const NO_STREAM_LEADER = [10008, 10009];
/** The maximum number of other streams that a log line names. */
const NAMED_MAX = 5;

/** A connection, and the objects that use it. */
interface Link {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly reading: StreamReading;
}

export class NatsStream implements OrderStream {
  facts: StreamFacts | null = null;
  trouble: string | null = null;
  connections = 0;
  newest = 0;
  readonly #reader: StreamReader;
  readonly #address: OrderAddress;
  /** A file with credentials, or null if there is none. */
  readonly #credentials: string | null;
  readonly #environment: Environment;
  readonly #log: TimelineLogger;
  readonly #subject: string;
  #link: Link | null = null;
  #isStopped = false;
  #cancel = () => {};
  readonly #throttle: LogThrottle;
  /** Whether `locateEnd` was called and the reader has not received the current end of the stream yet. */
  #isLocating = false;
  /** The link on which NATS has denied a permission, after the denial was logged, or null if there is none. */
  #notPermitted: Link | null = null;

  constructor(
    reader: StreamReader,
    address: OrderAddress,
    credentials: string | null,
    { environment, log }: { readonly environment: Environment; readonly log: TimelineLogger },
  ) {
    this.#reader = reader;
    this.#address = address;
    this.#credentials = credentials;
    this.#environment = environment;
    this.#log = log;
    this.#subject = `dbsync.${address.stream}`;
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: Number.POSITIVE_INFINITY });
  }

  /**
   * Resolves when the stream is connected, or when NATS cannot be reached and another attempt is scheduled.
   * @throws StartError  a retry is useless
   */
  async start(): Promise<void> {
    try {
      await this.#open();
    } catch (problem) {
      if (problem instanceof StartError) throw problem;
      this.#failed(problem as Error);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    this.#link?.reading.stop();
    await this.#link?.connection.close().catch(() => {});
    this.#link = null;
    this.facts = null;
  }

  locateEnd(): void {
    this.#isLocating = true;
    if (this.#link === null) return;
    this.#cancel();
    void this.#requestState();
  }

  async publish(name: ByteString | null, data: Buffer): Promise<Published> {
    const link = this.#link;
    if (link === null) return notStored(this.trouble ?? "not connected", false);

    const options = name === null ? {} : { msgID: Buffer.from(name, "latin1").toString("base64url") };
    try {
      const { seq, duplicate } = await link.client.publish(this.#subject, data, {
        ...options,
        timeout: PUBLISH_MS,
      });
      return { kind: "stored", seq, isRepeated: duplicate };
    } catch (problem) {
      const { cause } = problem as Error;
      if (cause instanceof errors.PermissionViolationError) this.#logNotPermitted(link, cause);
      return outcomeOf(problem as Error);
    }
  }

  async #open(): Promise<void> {
    const reader = this.#reader;
    const connection = await connect(this.#options());
    try {
      const manager = await jetstreamManager(connection, { timeout: CONNECT_MS });
      const info = await this.#stream(manager);
      const facts = factsOf(info, connection);
      const problem = reader.connected(facts);
      this.#isLocating = false;
      if (problem !== null) throw new Unreadable(problem);

      const reading = new StreamReading(connection, reader, this.#environment, this.#log);
      await reading.start(manager, this.#address.stream);
      const client = jetstream(connection, { timeout: PUBLISH_MS });
      this.#link = { connection, client, manager, reading };
      this.facts = facts;
      this.newest = facts.last;
      this.connections++;
      this.trouble = null;
      this.#throttle.clear("down");
      const { name: order } = this.#address;
      this.#log.info({ order, last: facts.last, next: reader.next }, "connected to the order's stream");
      this.#requestStateLater();
    } catch (problem) {
      await connection.close().catch(() => {});
      throw problem;
    }
    void connection.closed().then((problem) => this.#closed(connection, problem));
  }

  #options(): Parameters<typeof connect>[0] {
    const [address, credentials] = [this.#address, this.#credentials];
    return {
      servers: [...address.servers],
      name: "dbsyncd",
      timeout: CONNECT_MS,
      pingInterval: PING_EVERY_MS,
      maxPingOut: PINGS_UNANSWERED,
      reconnect: false,
      ...(address.isTls ? { tls: {} } : {}),
      ...(address.user === null ? {} : { user: address.user, pass: address.password ?? "" }),
      ...(credentials === null ? {} : { authenticator: credsAuthenticator(readCredentials(credentials)) }),
    };
  }

  /**
   * Returns the stream. If it does not exist and the daemon has never used one, it is created.
   * @throws StartError  the stream cannot order writes
   */
  async #stream(manager: JetStreamManager): Promise<StreamInfo> {
    const { stream: name, replicas } = this.#address;
    const found = await infoOf(manager, name);
    if (found !== null) {
      const unmet = unmetRequirement(found.config, this.#subject);
      if (unmet !== null) throw new StartError(`--order: ${unmet}`, 1);
      return found;
    }

    // A new, empty stream would hide from starting daemons that the writes are lost.
    if (!this.#reader.isNew) throw new Unreadable(`the stream ${name} no longer exists`);

    const others = await namesOf(manager);
    const made = await manager.streams.add({
      name,
      subjects: [this.#subject],
      num_replicas: replicas,
      storage: "file",
      retention: "limits",
      discard: "new",
      duplicate_window: nanos(NAMES_MS),
      deny_delete: true,
    });
    const advice =
      others.length === 0 ? {} : { others, advice: "if one of these was meant, correct --order" };
    this.#log.warn({ stream: name, replicas, ...advice }, `created the stream ${name}, which did not exist`);
    return made;
  }

  #closed(connection: NatsConnection, problem: unknown): void {
    if (this.#link?.connection !== connection) return;
    this.#link.reading.stop();
    this.#link = null;
    this.facts = null;
    this.#cancel();
    if (!this.#isStopped)
      this.#failed(problem instanceof Error ? problem : new Error("the connection was closed"));
  }

  #logNotPermitted(link: Link, { message }: Error): void {
    if (link === this.#notPermitted) return;
    this.#notPermitted = link;
    const advice = `permit this NATS user to publish on ${this.#subject}, and to subscribe to _INBOX.>`;
    this.#log.error({ order: this.#address.name, reason: message, advice }, "NATS denies writing");
  }

  #failed({ message }: Error): void {
    this.trouble = message;
    this.#throttle.warn(
      "down",
      { order: this.#address.name, reason: message },
      "the order's stream cannot be reached: no writes are accepted",
      message,
    );
    if (this.#isStopped) return;

    this.#cancel = this.#environment.setTimer(AGAIN_MS * this.#environment.random(), () => {
      this.#open().catch((again: Error) => this.#failed(again));
    });
  }

  #requestStateLater(): void {
    this.#cancel = this.#environment.setTimer(STATE_EVERY_MS, () => void this.#requestState());
  }

  async #requestState(): Promise<void> {
    const link = this.#link;
    if (link === null) return;

    const { next } = this.#reader;
    const info = await link.manager.streams.info(this.#address.stream).catch(() => null);
    if (this.#link !== link) return;

    const isMisfit = info !== null && unmetRequirement(info.config, this.#subject) !== null;
    // The stream has lost messages that this daemon has read, or its configuration allows such a loss. Close the
    // connection: the next attempt to connect reports the problem.
    if (info !== null && (isMisfit || info.state.last_seq < next - 1))
      void link.connection.close().catch(() => {});
    if (info !== null && this.#isLocating) {
      this.#isLocating = false;
      const facts = factsOf(info, link.connection);
      // Messages may have been read since the server replied.
      const last = Math.max(facts.last, this.#reader.next - 1);
      if (this.#reader.connected({ ...facts, last }) !== null) void link.connection.close().catch(() => {});
    }

    if (info !== null) this.newest = info.state.last_seq;
    if (info !== null) this.facts = { ...factsOf(info, link.connection), last: this.facts?.last ?? 0 };
    if (this.#isLocating)
      this.#cancel = this.#environment.setTimer(AGAIN_MS, () => void this.#requestState());
    else this.#requestStateLater();
  }
}

/**
 * Thrown if a retry alone cannot repair the stream. The daemon retries nevertheless, because an operator may repair it.
 */
class Unreadable extends Error {}

/** Reads the credentials again at each connection, because they may be renewed. @throws StartError  with the remedy */
function readCredentials(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (problem) {
    const { code } = problem as NodeJS.ErrnoException;
    throw new StartError(
      `--order-credentials ${file}: it cannot be read (${code}). Correct the path, or its permissions.`,
      1,
    );
  }
}

const notStored = (detail: string, isPassing: boolean): Published => ({
  kind: "not-stored",
  detail,
  isPassing,
});

function outcomeOf(problem: Error): Published {
  if (problem instanceof JetStreamApiError)
    return notStored(problem.message, NO_STREAM_LEADER.includes(problem.code));
  // While a leader is being elected, no server subscribes to the subject.
  if (problem.name === "JetStreamNotEnabled") return notStored("the stream has no leader", true);
  // The outcome is also unknown if a permission is missing: NATS reports only the subject, so its report may concern
  // any message in flight.
  return { kind: "unknown", detail: problem.message };
}

/** Returns the information about a stream, or null if it does not exist. */
async function infoOf(manager: JetStreamManager, name: string): Promise<StreamInfo | null> {
  try {
    return await manager.streams.info(name);
  } catch (problem) {
    if (problem instanceof JetStreamApiError && problem.code === STREAM_NOT_FOUND) return null;
    throw problem;
  }
}

/** Returns the names of other daemons' streams, if this user may list them. */
async function namesOf(manager: JetStreamManager): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const name of manager.streams.names("dbsync.*")) if (names.push(name) === NAMED_MAX) break;
  } catch {
    // Ignore the error, because the names are only a hint in a log line.
  }
  return names;
}

function factsOf({ state, created, config }: StreamInfo, { info }: NatsConnection): StreamFacts {
  return {
    first: state.first_seq,
    last: state.last_seq,
    created: String(created),
    replicas: config.num_replicas,
    others: Math.max(0, state.consumer_count - 1),
    maxBytes: Math.min(info?.max_payload ?? 0, limitOf(config.max_msg_size)) - HEAD_BYTES,
  };
}

const limitOf = (max: number | undefined): number =>
  max !== undefined && max > 0 ? max : Number.POSITIVE_INFINITY;

/** The value for no limit in NATS's configuration. */
const NO_LIMIT = 0;

interface Requirement {
  readonly isUnmet: (config: StreamConfig, subject: string) => boolean;
  /** Returns the problem, as the rest of a sentence that begins with the stream's name. */
  readonly problem: (config: StreamConfig, subject: string) => string;
  /** The remedy, for an operator. */
  readonly remedy: string;
}

const SPECIFY_ANOTHER = "specify another stream";
const dropsBy = (what: string) => `drops messages on its own (${what})`;
const isLimited = (value: number | undefined): boolean => (value ?? NO_LIMIT) > NO_LIMIT;

const REQUIREMENTS: readonly Requirement[] = [
  {
    isUnmet: ({ mirror, sources = [] }) => mirror !== undefined || sources.length > 0,
    problem: () => "is filled from other streams",
    remedy: SPECIFY_ANOTHER,
  },
  {
    isUnmet: ({ subjects = [] }, subject) => !subjects.includes(subject),
    problem: (_, subject) => `does not accept the subject ${subject}`,
    remedy: `add it, or ${SPECIFY_ANOTHER}`,
  },
  {
    isUnmet: ({ retention }) => retention !== undefined && retention !== "limits",
    problem: ({ retention }) => dropsBy(`retention ${retention}`),
    remedy: SPECIFY_ANOTHER,
  },
  {
    isUnmet: ({ max_age }) => isLimited(max_age),
    problem: () => dropsBy("max_age"),
    remedy: `set it to 0, or ${SPECIFY_ANOTHER}`,
  },
  {
    isUnmet: ({ max_msgs, max_bytes, discard }) =>
      discard !== "new" && (isLimited(max_msgs) || isLimited(max_bytes)),
    problem: ({ max_msgs }) => dropsBy(`${isLimited(max_msgs) ? "max_msgs" : "max_bytes"} with discard old`),
    remedy: "set discard to new, so that a full stream refuses writes, or remove the limit",
  },
  {
    isUnmet: ({ max_msgs_per_subject, discard, discard_new_per_subject }) =>
      isLimited(max_msgs_per_subject) && !(discard === "new" && discard_new_per_subject === true),
    problem: () => dropsBy("max_msgs_per_subject"),
    remedy: "remove that limit",
  },
  {
    isUnmet: ({ allow_msg_ttl }) => allow_msg_ttl === true,
    problem: () => dropsBy("allow_msg_ttl"),
    remedy: SPECIFY_ANOTHER,
  },
  {
    isUnmet: ({ no_ack }) => no_ack === true,
    problem: () => "acknowledges nothing (no_ack)",
    remedy: "set it to false",
  },
  {
    isUnmet: ({ sealed }) => sealed === true,
    problem: () => "is sealed: it accepts no messages",
    remedy: SPECIFY_ANOTHER,
  },
];

/**
 * Returns why a stream cannot order writes, and the remedy, as a sentence, or null if it can. It must accept each
 * message only once, acknowledge it, and never drop a message on its own.
 */
function unmetRequirement(config: StreamConfig, subject: string): string | null {
  const unmet = REQUIREMENTS.find(({ isUnmet }) => isUnmet(config, subject));
  if (unmet === undefined) return null;
  return `the stream ${config.name} ${unmet.problem(config, subject)}: ${unmet.remedy}.`;
}

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
class StreamReading {
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
    else this.#pass({ ...position, data: bufferOf(message.data) });
  }

  /**
   * Passes a message to the reader. An exception in the reader ends the process, as anywhere else. Without this code
   * the connection would catch it and continue.
   */
  #pass(message: StreamMessage): void {
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
