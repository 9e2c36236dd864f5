/**
 * Records envelopes on a daemon whose writes are ordered by a stream. It adds each envelope that may change something
 * to the stream, again if the outcome of an attempt is unknown, and answers the envelope once its message has come back
 * and is applied. The answer is then final. The pipeline has checked the envelope before.
 */

import type { PublishCounts } from "../../daemon/cluster/node/recorded-writes.js";
import { NotTaken, type Recorded } from "../../daemon/cluster/replica/entry-recorder.js";
import { MemberAnswers } from "../../daemon/cluster/replica/member-answers.js";
import { type Chosen, NOTHING_CHOSEN } from "../../daemon/cluster/replica/recorded-choices.js";
import {
  answerNotStored,
  entryOf,
  type GatewayClass,
  RecordingBase,
} from "../../daemon/cluster/replica/recording-base.js";
import type { ReplicaContext } from "../../daemon/cluster/replica/replica-context.js";
import type { TimelineBackend } from "../../daemon/cluster/replica/timeline-backend.js";
import {
  type Answered,
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  refusedIn,
  unknown,
} from "../../daemon/engine/answers/request.js";
import { finalResultOf, type ReadStatus } from "../../daemon/engine/answers/result-writer.js";
import type { KeyChangeObservers } from "../../daemon/engine/backends/key-change-observers.js";
import type { VerifiedEnvelope } from "../../daemon/engine/pipeline/apply-units.js";
import { Histogram } from "../../daemon/net/process/histogram.js";
import { ORDER_WINDOW } from "../../daemon/options/timeline-values.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import type { Entry, OrderKey } from "../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../daemon/timeline/entries/recorded-envelopes.js";
import { writeValue } from "../../daemon/timeline/entries/stored-value.js";
import type { UnitAnswer } from "../../daemon/timeline/fold/fold.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { StateName } from "../../protocol/state-names.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../protocol/version-2/messages-v2.js";
import type { OrderStream, Published } from "./order-stream.js";
import type { Ordered, OrderedState } from "./ordered-state.js";

export class OrderRecorder extends RecordingBase {
  readonly decides = false;
  readonly #order: OrderContext;
  protected readonly memberAnswers: MemberAnswers;
  readonly waiting: WaitingEntries;
  readonly flushing = null;
  readonly undone = 0;
  readonly appliesImmediately = false;

  constructor(order: OrderContext, gatewayClass: GatewayClass | null) {
    super(order, order.backend, gatewayClass);
    this.#order = order;
    this.memberAnswers = new MemberAnswers(order.environment, ORDER_WINDOW.past, null, () => false);
    this.waiting = new WaitingEntries(order);
  }

  /** The daemon's state. The first reason that applies determines it. */
  get state(): StateName {
    const { stream, failure, hasCaughtUp, state } = this.#order;
    if (state.standstill !== null) return "outdated";
    if (failure !== null || stream.facts === null) return "order-unavailable";
    return hasCaughtUp ? "live" : "catching-up";
  }

  get reason(): string {
    const { stream, failure, state } = this.#order;
    switch (this.state) {
      case "outdated":
        return state.standstill ?? "";
      case "order-unavailable":
        return failure ?? stream.trouble ?? "not connected";
      case "catching-up":
        return "not all messages in the stream have been applied";
      default:
        return "";
    }
  }

  get readStatus(): ReadStatus {
    const { stream, failure, hasCaughtUp } = this.#order;
    if (failure !== null || !hasCaughtUp) return "catching-up";
    return stream.facts === null ? "isolated" : "";
  }

  /** The number of other readers of the stream, as last reported. */
  get members(): number {
    return this.#order.stream.facts?.others ?? 0;
  }

  /** The number of servers that certainly store a write, which is the smallest majority of the stream's servers. */
  get daemons(): number {
    return 1 + Math.floor((this.#order.stream.facts?.replicas ?? 1) / 2);
  }

  get newest(): EnvelopeDate {
    return this.#order.state.newest;
  }

  get ring(): KeyRing {
    return this.#order.state.ring;
  }

  records(envelope: Pick<Envelope, "commands">): boolean {
    return mayChange(envelope, this.ring.table ?? undefined);
  }

  /**
   * Whether the envelope is known to be in the stream. An envelope whose id was forgotten is refused because of its
   * date.
   */
  holds({ id, at }: OrderKey): boolean {
    return this.#order.state.has(id, at);
  }

  get floor(): number {
    return this.#order.state.floor;
  }

  get commonClock(): number {
    return Math.floor(this.#order.environment.clock());
  }

  /** Whether an entry has been applied, or can no longer be applied because its date is too old. */
  protected isSettled(orderKey: OrderKey): boolean {
    return this.holds(orderKey) || orderKey.at <= this.floor;
  }

  /** Resolves immediately, because every answer is already final when it is sent. */
  async confirm(orderKey: OrderKey, wait: Wait): Promise<boolean> {
    return this.holds(orderKey) && (wait.kind === "stable" || wait.daemons <= this.daemons);
  }

  /** Does nothing: the other daemons receive the entry from the stream. */
  sendToPeers(): void {}

  protected recordEnvelope(verified: VerifiedEnvelope, readStatus: ReadStatus): Answered {
    const { id, maxReplyBytes } = verified;
    const outcome = this.#add(entryOf(verified), null);
    if (!(outcome instanceof Promise)) return outcome;
    return outcome.then((answer) =>
      isRefusal(answer) ? answer : finalResultOf(id, answer, { maxReplyBytes, readStatus }),
    );
  }

  /** Returns nothing, because the order of the stream is final before a command is answered. */
  choicesOf(): Chosen {
    return NOTHING_CHOSEN;
  }

  /** Adds an envelope that the daemon itself has signed. */
  record(entry: Entry): Recorded | RefusedEnvelope {
    const outcome = this.#add(entry, this.#order.backend.changes.senders);
    if (!(outcome instanceof Promise)) return outcome;

    let answers: readonly UnitAnswer[] = [];
    const flushed = outcome.then((answer) => {
      if (isRefusal(answer)) throw new NotTaken(answer);
      answers = answer;
    });
    return {
      get answers() {
        return answers;
      },
      flushed,
    };
  }

  #add(entry: Entry, senders: KeyChangeObservers["senders"]): ReturnType<WaitingEntries["add"]> {
    const { state, backend } = this.#order;
    return state.exceeds(entry, backend.unitSteps)
      ? notApplied(entry.id, refused("too-much", "on this daemon's state"))
      : this.waiting.add(entry, senders);
  }

  /** Returns a refusal: this daemon has no list of members. */
  async decide({ id }: Entry): Promise<RefusedEnvelope> {
    return notApplied(id, refused("cannot-decide", "a stream orders the writes"));
  }

  /** Returns why no envelope can be added to the stream now, or null if envelopes can be added. */
  refusal(): Refused | null {
    return refusedIn(this);
  }

  /** Processes the outcome of a message. */
  passed(seq: number, ordered: Ordered): void {
    // If a client waits for this envelope on this daemon, `waiting` answers it, and the answer need not be stored.
    if (ordered.kind === "applied" && !this.waiting.isWaitedFor(ordered.entry.id)) {
      const { entry, answers } = ordered;
      this.memberAnswers.folded([entry], [{ entry, answers }], this.readStatus);
    }
    this.waiting.passed(seq, ordered);
  }

  override stop(): void {
    super.stop();
    this.waiting.stop();
  }

  /** Answers a client's envelope that another daemon has already added to the stream. */
  protected async storedAnswer(verified: VerifiedEnvelope): Promise<EnvelopeAnswer> {
    return (await this.memberAnswers.find(verified)) ?? answerNotStored(verified.id);
  }
}

const isRefusal = (outcome: StreamOutcome): outcome is RefusedEnvelope => "kind" in outcome;

/** The maximum number of waiting entries. */
const WAITING_MAX = 10_000;
/** Maximum bytes of waiting entries, which are in memory twice until they are sent. One entry may exceed the limit. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** Maximum milliseconds for which an entry waits: a client's longest deadline is 20 s. */
const WAIT_MS_MAX = 15_000;
/**
 * Milliseconds after which an entry that certainly is not in the stream is abandoned. A new leader may be elected in
 * this time.
 */
const TRY_MS = 5000;
const AGAIN_MS = 100;
/**
 * Bounds of the histogram of seconds until the stream acknowledges. NATS may be another process, on another machine or
 * in another country, or may be electing a leader.
 */
const PUBLISH_BOUNDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];
const SECOND = 1000;

/** The answers of an entry's units, or a refusal, which states whether the outcome is unknown. */
type StreamOutcome = readonly UnitAnswer[] | RefusedEnvelope;

type Senders = KeyChangeObservers["senders"];

interface Waiting {
  readonly entry: Entry;
  /** The senders of its units, for the objects that are notified of changes. */
  readonly senders: Senders;
  readonly data: Buffer;
  readonly until: number;
  readonly outcome: Promise<StreamOutcome>;
  readonly end: (outcome: StreamOutcome) => void;
  /** Whether the entry certainly is not in the stream. */
  isOut: boolean;
  /**
   * Whether another message of the stream already has the entry's name. If so, the entry has to be added without a
   * name.
   */
  isNameless: boolean;
}

/**
 * The entries that this daemon is adding to the stream. If the outcome of an attempt is unknown, the entry is added
 * again, until its message comes back from the stream or its time is up.
 */
class WaitingEntries {
  readonly published: PublishCounts = { stored: 0, repeated: 0, refused: 0, unknown: 0 };
  readonly publishing = new Histogram(PUBLISH_BOUNDS);
  readonly #order: OrderContext;
  /** Entries by id. */
  readonly #waiting = new Map<ByteString, Waiting>();
  /** Bytes of waiting entries. */
  #bytes = 0;
  /**
   * Entries whose name belongs to an earlier message of the stream that has not been read yet, by the sequence of that
   * message.
   */
  readonly #awaited = new Map<number, Waiting>();

  constructor(order: OrderContext) {
    this.#order = order;
  }

  get size(): number {
    return this.#waiting.size;
  }

  isWaitedFor(id: ByteString): boolean {
    return this.#waiting.has(id);
  }

  /** Whether an envelope with this signature waits: if so, the signature was verified here. */
  has(id: ByteString, signature: Buffer): boolean {
    return this.#waiting.get(id)?.entry.signature.equals(signature) ?? false;
  }

  /** Returns the senders of the units of the entry that is about to be applied. */
  sendersOf(id: ByteString): Senders {
    return this.#waiting.get(id)?.senders ?? null;
  }

  /** Adds an entry with a valid signature. @returns its outcome; or why it cannot be added */
  add(entry: Entry, senders: Senders): Promise<StreamOutcome> | RefusedEnvelope {
    const { id } = entry;
    const before = this.#waiting.get(id);
    if (before !== undefined) return before.outcome;
    if (this.#waiting.size >= WAITING_MAX || this.#bytes >= WAITING_BYTES_MAX)
      return notApplied(id, refused("order-unavailable", `${this.#waiting.size} commands wait`));

    const data = writeValue(entry.body, entry.signature);
    const { facts } = this.#order.stream;
    if (facts === null) return notApplied(id, refused("order-unavailable", "not connected"));
    if (data.length > facts.maxBytes)
      return notApplied(id, refused("order-too-long", `${data.length} bytes, more than ${facts.maxBytes}`));

    const waiting = this.#begin(entry, senders, data);
    void this.#send(waiting);
    return waiting.outcome;
  }

  /**
   * Processes the next message of the stream, and answers the waiting entry that the message contains. A waiting entry
   * whose name belongs to this message, although its content differs, is sent again.
   */
  passed(seq: number, ordered: Ordered): void {
    if (ordered.kind !== "skipped") {
      const { entry } = ordered;
      const waiting = this.#waiting.get(entry.id);
      if (waiting !== undefined)
        waiting.end(ordered.kind === "applied" ? ordered.answers : refusalOf(ordered));
    }
    if (this.#awaited.size === 0) return;
    const named = this.#awaited.get(seq);
    this.#awaited.delete(seq);
    if (named !== undefined) this.#displaced(named);
  }

  /** Ends all waits. The outcome of the waiting entries may be unknown. */
  stop(): void {
    for (const { end, entry, isOut } of [...this.#waiting.values()])
      end(abandoned(entry.id, isOut, "the daemon stops"));
  }

  #begin(entry: Entry, senders: Senders, data: Buffer): Waiting {
    const { uptime, setTimer } = this.#order.environment;
    let end: Waiting["end"] = () => {};
    const outcome = new Promise<StreamOutcome>((resolve) => {
      end = (one) => {
        cancel();
        if (this.#waiting.delete(entry.id)) this.#bytes -= data.length;
        resolve(one);
      };
    });
    const until = uptime() + TRY_MS;
    const waiting: Waiting = { entry, senders, data, until, outcome, end, isOut: true, isNameless: false };
    const cancel = setTimer(WAIT_MS_MAX, () => end(abandoned(entry.id, waiting.isOut, "not in time")));
    this.#waiting.set(entry.id, waiting);
    this.#bytes += data.length;
    return waiting;
  }

  async #send(waiting: Waiting): Promise<void> {
    const { stream, environment } = this.#order;
    const { entry, data } = waiting;
    const wasOut = waiting.isOut;

    // From here on the entry may be in the stream.
    waiting.isOut = false;
    const from = environment.uptime();
    const published = await stream.publish(waiting.isNameless ? null : entry.id, data);
    this.#count(published, environment.uptime() - from);
    if (!this.#isWaiting(waiting)) return;
    if (published.kind === "stored") {
      if (published.isRepeated) this.#repeated(waiting, published.seq);
      return;
    }

    if (published.kind === "not-stored") {
      waiting.isOut = wasOut;
      if (wasOut && !(published.isPassing && environment.uptime() < waiting.until)) {
        waiting.end(abandoned(entry.id, true, published.detail));
        return;
      }
    }

    environment.setTimer(AGAIN_MS, () => {
      if (this.#isWaiting(waiting)) void this.#send(waiting);
    });
  }

  #count(published: Published, took: number): void {
    if (published.kind === "unknown") this.published.unknown++;
    else if (published.kind === "not-stored") this.published.refused++;
    else {
      this.published[published.isRepeated ? "repeated" : "stored"]++;
      this.publishing.observe(took / SECOND);
    }
  }

  /**
   * Called when the stream already had a message with the entry's name. That message is the envelope itself, added
   * earlier or by another daemon, or it is a different message.
   */
  #repeated(waiting: Waiting, seq: number): void {
    if (seq <= this.#order.state.seq) this.#displaced(waiting);
    else this.#awaited.set(seq, waiting);
  }

  /**
   * Sends an entry without a name, because a different message has its name. Any client that may write to the stream
   * can add such a message.
   */
  #displaced(waiting: Waiting): void {
    if (!this.#isWaiting(waiting) || waiting.isNameless) return;
    waiting.isNameless = true;
    void this.#send(waiting);
  }

  #isWaiting(waiting: Waiting): boolean {
    return this.#waiting.get(waiting.entry.id) === waiting;
  }
}

function abandoned(id: ByteString, isOut: boolean, detail: string): RefusedEnvelope {
  const answer = notApplied(id, refused("order-unavailable", detail));
  return isOut ? answer : unknown(answer);
}

function refusalOf({ entry, refusal, isFinal }: Extract<Ordered, { kind: "refused" }>): RefusedEnvelope {
  const answer = notApplied(entry.id, refusal);
  return isFinal ? answer : unknown(answer);
}

/** The stream that orders a daemon's writes, the state that follows from it, and the objects that use both. */
export interface OrderContext extends ReplicaContext {
  readonly state: OrderedState;
  readonly stream: OrderStream;
  readonly backend: TimelineBackend;
  /** Whether the daemon has applied all messages that were in the stream when it connected. */
  readonly hasCaughtUp: boolean;
  /** The reason why reading the stream cannot continue, or null if it can. */
  readonly failure: string | null;
}
