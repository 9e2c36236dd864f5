/**
 * The owner of everything that --order adds: the stream, the state that follows from its messages, and the objects
 * through which the pipeline and the listeners use both. The daemon loads this module, and with it the NATS packages,
 * only if that option is set.
 */
import { type OrderFigures, RecordedWrites } from "../../daemon/cluster/node/recorded-writes.js";
import { StandstillClock } from "../../daemon/cluster/peers/standstill-detector.js";
import { entryCheck } from "../../daemon/cluster/replica/check-entry.js";
import type { GatewayClass } from "../../daemon/cluster/replica/recording-base.js";
import type { ReplicaContext } from "../../daemon/cluster/replica/replica-context.js";
import { logUnauthorized } from "../../daemon/cluster/replica/start-log-lines.js";
import { TimelineBackend, type TimelineState } from "../../daemon/cluster/replica/timeline-backend.js";
import { DurableCopies } from "../../daemon/engine/backends/durable-copies.js";
import { LogThrottle } from "../../daemon/net/process/log-throttle.js";
import type { OrderAddress } from "../../daemon/options/addresses/order-address.js";
import { readLimitsOf } from "../../daemon/options/limits.js";
import type { Database } from "../../daemon/store/database.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { isRingEntry } from "../../daemon/timeline/entries/recorded-envelopes.js";
import { dateText, hexOf } from "../../protocol/version-2/envelope.js";
import { NatsStream } from "./nats-stream.js";
import { OrderFolder } from "./order-folder.js";
import { type OrderContext, OrderRecorder } from "./order-recorder.js";
import type { OrderStream, StreamFacts, StreamMessage, StreamReader } from "./order-stream.js";
import { OrderedState } from "./ordered-state.js";

/** Milliseconds between two ticks. */
const TICK_MS = 100;
/** The number of ticks between two checks of the disk: 2 s. */
const DISK_TICKS = 20;
/** Milliseconds for which the start waits until the daemon's own key is authorized, before clients are served. */
const ENTER_MS = 5000;
/** Milliseconds between two log lines about skipped messages. */
const SKIPPED_EVERY_MS = 10_000;
/** Milliseconds between two log lines about the progress of reading a long stream. */
const READING_EVERY_MS = 5000;

const STOOD_STILL =
  "this process was suspended, or its clock was set ahead: until it has applied all messages that are in the stream now, it answers like a daemon that is catching up";

export class OrderedReplica extends RecordedWrites implements StreamReader, OrderContext, TimelineState {
  readonly state: OrderedState;
  readonly stream: OrderStream;
  readonly backend: TimelineBackend;
  readonly recording: OrderRecorder;
  readonly copies: DurableCopies;
  readonly figures = null;
  readonly isFinal = true;
  /** Null, because the stream has stored a write before it is applied here. */
  readonly flushing = null;
  readonly undone = 0;
  readonly mirrored = null;
  readonly takeMember = null;
  /** Why reading the stream cannot continue, or null if it can or the reason is not known yet. */
  failure: string | null = null;
  readonly #folder: OrderFolder;
  /** When the stream that this daemon uses was created, or null if the daemon has never been connected to one. */
  #created: string | null;
  /**
   * The sequence of the last message when the daemon last connected. Null if it is unknown: before the first
   * connection, and after a standstill of this process.
   */
  #goal: number | null = null;
  /**
   * Describes the applied messages that the stream has lost, or the message that this daemon cannot apply. Null if
   * there is no such message. Unlike `failure`, it is never reset.
   */
  #lost: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;
  readonly #clock: StandstillClock;
  #notify = () => {};
  readonly #skipped: LogThrottle;
  #loggedReadingAt: number;

  constructor(context: ReplicaContext, order: OrderAddress, gatewayClass: GatewayClass | null) {
    super(context);
    const { settings, signers, environment, log } = context;
    this.#loggedReadingAt = environment.uptime();
    this.#clock = new StandstillClock(environment);
    this.#skipped = new LogThrottle({ log, uptime: environment.uptime, periodMs: SKIPPED_EVERY_MS });
    this.#folder = new OrderFolder(context, order);
    const { state, created } = this.#folder.load();
    this.#created = created;

    // Messages are checked with the key ring at their position. A signature that was verified here is not verified
    // again.
    const check = entryCheck(signers, null, (id, signature) => this.recording.waiting.has(id, signature));
    this.state = new OrderedState(state, check, (id) => {
      this.backend.changes.senders = this.recording.waiting.sendersOf(id);
    });
    signers.follow(this.state);
    this.stream = new NatsStream(this, order, settings.orderCredentials, context);
    this.backend = new TimelineBackend(this, environment, settings.limits.maxUnitSteps);
    this.database.readLimits = readLimitsOf(settings.limits);
    const recording = new OrderRecorder(this, gatewayClass);
    this.recording = recording;
    this.copies = new DurableCopies({
      peers: { copies: () => recording.daemons - 1, replicated: () => new Promise(() => {}) },
      members: () => recording.members,
      isAlone: () => false,
      environment,
    });
  }

  get database(): Database {
    return this.state.database;
  }

  get standstill(): string | null {
    return this.state.standstill;
  }

  /**
   * Resolves when all messages in the stream are applied, or when NATS cannot be reached. In the latter case the daemon
   * continues to retry.
   */
  async start(): Promise<void> {
    const { environment, log } = this;
    const startedAt = environment.uptime();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    await this.stream.start();
    const isOver = () => this.hasCaughtUp || this.failure !== null || this.stream.facts === null;
    await this.#until(isOver, Number.POSITIVE_INFINITY);
    const took = Math.round(environment.uptime() - startedAt);
    if (this.hasCaughtUp) log.info({ milliseconds: took, seq: this.state.seq }, "the stream is applied");
    await this.#enter();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.stream.stop();
    await this.#folder.close();
  }

  reread(): () => void {
    return () => {};
  }

  override get order(): OrderFigures {
    const { facts, trouble, connections, newest } = this.stream;
    const { seq: applied, skipped } = this.state;
    const { size, published, publishing } = this.recording.waiting;
    const problem = facts === null ? (trouble ?? "not connected") : null;
    return {
      trouble: this.failure ?? problem,
      applied,
      behind: Math.max(0, newest - applied),
      skipped,
      waiting: size,
      published,
      publishing,
      connections,
      lowDisk: this.isDiskLow ? this.disk.last : null,
    };
  }

  /**
   * Whether this daemon has applied all messages that were in the stream when it connected, or when it resumed after a
   * standstill.
   */
  get hasCaughtUp(): boolean {
    this.#noticeStandstill();
    return this.#goal !== null && this.state.seq >= this.#goal;
  }

  get isNew(): boolean {
    return this.#created === null;
  }

  get next(): number {
    return this.state.seq + 1;
  }

  connected(facts: StreamFacts): string | null {
    const { last, created } = facts;
    this.failure = this.#lost ?? this.state.standstill ?? this.#mismatch(facts);
    if (this.failure !== null) return this.failure;
    this.#created = created;
    this.#folder.connected(created);
    this.#goal = Math.max(this.#goal ?? 0, last);
    return null;
  }

  checkRepeated(message: StreamMessage): string | null {
    if (this.state.isLast(message)) return null;
    const folder = this.settings.data === null ? "" : " without the folder order of --data";
    this.#lost = `message ${message.seq} of the stream is not the one that this daemon has applied: the stream has lost messages, and new ones were added. Restart the daemon${folder}`;
    this.failure = this.#lost;
    return this.#lost;
  }

  message(message: StreamMessage): void {
    const { backend, watcher, log } = this;
    const ordered = this.state.apply(message);
    backend.changes.senders = null;
    const { standstill: reason } = this.state;
    if (reason !== null && this.#lost === null) log.error({ reason }, "reading the stream cannot continue");

    // Stop here permanently: no snapshot will include this message, so a newer release, or one with the code, can begin
    // with the snapshot before it and apply the message.
    if (ordered.kind === "stopped" || reason !== null) return void (this.failure = this.#lost = reason);

    this.recording.passed(message.seq, ordered);
    if (ordered.kind === "applied") {
      const { entry } = ordered;
      backend.observer?.changed();
      this.arrived([entry]);
      watcher?.([entry.envelope], true);
      if (isRingEntry(entry.envelope)) this.#logRingChange(entry);
    } else if (ordered.kind === "skipped" && !ordered.isKnown) this.#logSkipped(message.seq, ordered.reason);

    this.#notify();
    this.#folder.passed(message.seq, this.#created ?? "");
  }

  /**
   * Returns why this state cannot be continued from a stream, for example because it is not the stream from which the
   * state was made; null if it can.
   */
  #mismatch({ first, last, created }: StreamFacts): string | null {
    const { seq } = this.state;
    if (this.#created !== null && this.#created !== created)
      return `the stream was created again since this daemon began to read it: if that was meant, ${this.settings.data === null ? "" : "remove the folder order from --data, and "}restart the daemon`;
    if (last < seq) return `the stream ends at ${last}, but this daemon has applied ${seq} of its messages`;
    if (first > seq + 1)
      return `the stream begins at ${first}, but this daemon has applied it up to ${seq}: the messages between were removed`;
    return null;
  }

  /** Authorizes the daemon's own key before it serves clients whose writes it signs. */
  async #enter(): Promise<void> {
    const { gateway, identity } = this;
    if (gateway === null || !this.hasCaughtUp) return;
    if (logUnauthorized(this.state.ring, this)) return;
    gateway.own.refusal();
    await this.#until(() => this.state.ring.find(identity.id) !== undefined, ENTER_MS);
  }

  async #until(isSo: () => boolean, milliseconds: number): Promise<void> {
    const { environment } = this;
    const end = environment.uptime() + milliseconds;
    await new Promise<void>((resolve) => {
      this.#notify = () => {
        if (!isSo() && environment.uptime() < end) return;
        this.#notify = () => {};
        resolve();
      };
      this.#notify();
    });
  }

  /**
   * Checks whether this process stood still for a while. If so, the daemon has to locate the current end of the stream
   * again. Called at each tick, and also before each answer, because after a standstill sockets are read before timers
   * run.
   */
  #noticeStandstill(): void {
    const { environment, settings, log } = this;
    const stoodFor = this.#clock.elapsed(environment.uptime());
    if (stoodFor <= settings.limits.standstill) return;
    log.warn({ milliseconds: Math.round(stoodFor) }, STOOD_STILL);
    this.#goal = null;
    this.stream.locateEnd();
  }

  #tick(): void {
    this.#noticeStandstill();
    this.state.dropExpired();
    this.backend.tick();
    if (this.#ticks++ % DISK_TICKS === 0) this.watchDisk();
    this.#logReading();
    this.#notify();
  }

  #logReading(): void {
    const { environment, log } = this;
    const now = environment.uptime();
    if (this.hasCaughtUp || this.#goal === null) this.#loggedReadingAt = now;
    if (now < this.#loggedReadingAt + READING_EVERY_MS) return;
    this.#loggedReadingAt = now;
    log.info({ seq: this.state.seq, of: this.#goal }, "reading the stream");
  }

  #logRingChange({ id, envelope }: Entry): void {
    // Earlier changes were logged when they were received.
    if (!this.hasCaughtUp) return;
    const by = { by: hexOf(envelope.key), at: dateText(envelope.at), id: hexOf(id) };
    this.log.warn(
      { ...by, commands: envelope.commands.length },
      "a change of the key ring was received from the stream",
    );
  }

  #logSkipped(seq: number, reason: string): void {
    const facts = { seq, reason, skipped: this.state.skipped };
    this.#skipped.warn("skipped", facts, "a message of the stream is skipped by all daemons");
  }
}
