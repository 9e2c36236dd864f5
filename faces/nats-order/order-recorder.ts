/**
 * Records envelopes on a daemon whose writes are ordered by a stream. It adds each envelope that may change something
 * to the stream, and answers the envelope once its message has come back and is applied. The answer is then final. The
 * pipeline has checked the envelope before.
 */
import { NotTaken, type Recorded } from "../../daemon/cluster/replica/entry-recorder.js";
import { MemberAnswers } from "../../daemon/cluster/replica/member-answers.js";
import { type Chosen, NOTHING_CHOSEN } from "../../daemon/cluster/replica/recorded-choices.js";
import {
  answerNotStored,
  entryOf,
  type GatewayClass,
  RecordingBase,
} from "../../daemon/cluster/replica/recording-base.js";
import {
  type Answered,
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  refusedIn,
} from "../../daemon/engine/answers/request.js";
import { finalResultOf, type ReadStatus } from "../../daemon/engine/answers/result-writer.js";
import type { KeyChangeObservers } from "../../daemon/engine/backends/key-change-observers.js";
import type { AcceptedEnvelope } from "../../daemon/engine/pipeline/apply-units.js";
import { ORDER_WINDOW } from "../../daemon/options/timeline-values.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import type { Entry, OrderKey } from "../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../daemon/timeline/entries/recorded-envelopes.js";
import type { UnitAnswer } from "../../daemon/timeline/fold/fold.js";
import type { StateName } from "../../protocol/state-names.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../protocol/version-2/messages-v2.js";
import type { Ordered } from "./ordered-state.js";
import { type OrderContext, type StreamOutcome, WaitingEntries } from "./waiting-entries.js";

export class OrderRecorder extends RecordingBase {
  readonly decides = false;
  readonly #order: OrderContext;
  protected readonly memberAnswers: MemberAnswers;
  readonly waiting: WaitingEntries;
  readonly flushing = null;
  readonly undone = 0;
  readonly appliesAtOnce = false;

  constructor(order: OrderContext, gatewayClass: GatewayClass | null) {
    super(order, order.backend, gatewayClass);
    this.#order = order;
    this.memberAnswers = new MemberAnswers(order.environment, ORDER_WINDOW.past, null);
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

  /** Whether a unit has been applied, or can no longer be applied because its date is too old. */
  protected isSettled(orderKey: OrderKey): boolean {
    return this.holds(orderKey) || orderKey.at <= this.floor;
  }

  /** Resolves immediately, because every answer is already final when it is sent. */
  async confirm(orderKey: OrderKey, wait: Wait): Promise<boolean> {
    return this.holds(orderKey) && (wait.kind === "stable" || wait.daemons <= this.daemons);
  }

  /** Does nothing: the other daemons receive the entry from the stream. */
  sendToPeers(): void {}

  protected take(taken: AcceptedEnvelope, readStatus: ReadStatus): Answered {
    const { id, maxReplyBytes } = taken;
    const outcome = this.#add(entryOf(taken), null);
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
  protected async storedAnswer(taken: AcceptedEnvelope): Promise<EnvelopeAnswer> {
    return (await this.memberAnswers.find(taken)) ?? answerNotStored(taken.id);
  }
}

const isRefusal = (outcome: StreamOutcome): outcome is RefusedEnvelope => "kind" in outcome;
