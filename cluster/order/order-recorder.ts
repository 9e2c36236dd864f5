/**
 * Envelopes that change something, on a daemon whose order is a stream: added to it, and answered once their message has come
 * back and is applied. Then the answer is final. What the pipeline checks has been checked.
 */
import {
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
} from "../../engine/answers/request.js";
import { finalResultOf, type Standing } from "../../engine/answers/result-writer.js";
import type { Changes } from "../../engine/backends/changes.js";
import type { ShownState } from "../../engine/pipeline/recording.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { KeyAudit } from "../../engine/trust/key-audit.js";
import type { Environment } from "../../net/process/environment.js";
import type { LineLog } from "../../net/process/log-throttle.js";
import { ORDER_WINDOW } from "../../options/date-window.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { DaemonState, EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Entry, Place } from "../../timeline/entries/entry.js";
import { mayChange } from "../../timeline/entries/recorded.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";
import { answerUnrecorded } from "../replica/denials.js";
import { GivenAnswers } from "../replica/given-answers.js";
import { answerNotKept, NotTaken, type Recorded } from "../replica/recorder.js";
import type { OrderStream } from "./order-stream.js";
import type { Ordered, OrderedState } from "./ordered-state.js";
import { type Came, WaitingEntries } from "./waiting-entries.js";

export interface OrderRecorderParts {
  readonly state: Pick<OrderedState, "seq" | "has" | "exceeds" | "newest" | "ring" | "floor" | "standstill">;
  /** That an entry may make this daemon do in one go. */
  readonly unitSteps: number;
  readonly stream: Pick<OrderStream, "publish" | "facts" | "trouble">;
  /** Whether all has been applied that stood in the stream when the daemon came to it. */
  readonly hasCaughtUp: () => boolean;
  /** Why the stream cannot be read on; null: it can. */
  readonly failure: () => string | null;
  /** Told whose commands are being applied. */
  readonly changes: () => Pick<Changes, "senders">;
  readonly log: LineLog;
  readonly environment: Pick<Environment, "clock" | "uptime" | "setTimer">;
}

export class OrderRecorder {
  readonly #parts: OrderRecorderParts;
  readonly #audit: KeyAudit;
  readonly #given: GivenAnswers;
  readonly waiting: WaitingEntries;

  constructor(parts: OrderRecorderParts) {
    this.#parts = parts;
    const { stream, environment } = parts;
    this.#audit = new KeyAudit(parts);
    this.#given = new GivenAnswers({
      environment,
      past: ORDER_WINDOW.past,
      resultOf: finalResultOf,
      flushed: async () => {},
    });
    this.waiting = new WaitingEntries({ stream, environment, seq: () => parts.state.seq });
  }

  get state(): DaemonState {
    const { stream, failure, hasCaughtUp } = this.#parts;
    if (failure() !== null || !hasCaughtUp()) return "catching-up";
    return stream.facts === null ? "isolated" : "live";
  }

  get shownState(): ShownState {
    return this.#parts.state.standstill === null ? this.state : "outdated";
  }

  get standing(): Standing {
    const { state } = this;
    return state === "live" ? "" : state;
  }

  /** Who else reads the stream, as was last heard. */
  get members(): number {
    return this.#parts.stream.facts?.others ?? 0;
  }

  /** How many keep a write for certain: of the stream's servers the smallest majority. */
  get daemons(): number {
    return 1 + Math.floor((this.#parts.stream.facts?.replicas ?? 1) / 2);
  }

  get newest(): EnvelopeDate {
    return this.#parts.state.newest;
  }

  get ring(): KeyRing {
    return this.#parts.state.ring;
  }

  records(envelope: Pick<Envelope, "commands">): boolean {
    return mayChange(envelope, this.ring.table ?? undefined);
  }

  /** Whether it stands in the stream; of what is not remembered any more nobody knows, and its date says enough. */
  holds({ id, at }: Place): boolean {
    return this.#parts.state.has(id, at);
  }

  /** What is dated so long ago is applied, or never will be. */
  hasApplied(place: Place): boolean {
    return this.holds(place) || place.at <= this.#parts.state.floor;
  }

  /** The first answer of an envelope that another daemon has brought; null: it is not there. */
  firstAnswer(taken: Taken): Promise<EnvelopeAnswer> | null {
    const { at, seq } = taken.envelope;
    return this.holds({ at, seq, id: taken.id }) ? this.#heldAnswer(taken) : null;
  }

  take(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { standing } = this;
    const answer = answerUnrecorded(taken, standing, this, this.#audit);
    if (answer !== null) return answer;
    const { id, envelope, message, room } = taken;
    // The message's bytes are views of what came over the network.
    const [body, signature] = [Buffer.from(message.body), Buffer.from(message.signature)];
    const came = this.#add({ id, body, signature, envelope }, null);
    if (!(came instanceof Promise)) return came;
    return came.then((one) => (isRefusal(one) ? one : finalResultOf(id, one, { room, standing })));
  }

  /** Adds what the daemon itself has signed. */
  record(entry: Entry): Recorded | RefusedEnvelope {
    const came = this.#add(entry, this.#parts.changes().senders);
    if (!(came instanceof Promise)) return came;
    let answers: readonly UnitAnswer[] = [];
    const flushed = came.then((one) => {
      if (isRefusal(one)) throw new NotTaken(one);
      answers = one;
    });
    return {
      get answers() {
        return answers;
      },
      flushed,
    };
  }

  #add(entry: Entry, senders: Changes["senders"]): ReturnType<WaitingEntries["add"]> {
    const { state, unitSteps } = this.#parts;
    return state.exceeds(entry, unitSteps)
      ? notApplied(entry.id, refused("too-much", "on this daemon's state"))
      : this.waiting.add(entry, senders);
  }

  /** Why nothing is added now. */
  refusal(): Refused | null {
    const { stream, failure, hasCaughtUp, state } = this.#parts;
    if (state.standstill !== null) return refused("semantics-unknown", state.standstill);
    const reason = failure() ?? (stream.facts === null ? (stream.trouble ?? "not connected") : null);
    if (reason !== null) return refused("order-unavailable", reason);
    return hasCaughtUp() ? null : refused("catching-up", "what stands in the stream is not applied yet");
  }

  /** A message has been applied, or not. */
  passed(seq: number, ordered: Ordered): void {
    // Whoever waits here for it is answered himself.
    if (ordered.kind === "applied" && !this.waiting.isWaitedFor(ordered.entry.id)) {
      const { entry, answers } = ordered;
      this.#given.folded([entry], [{ entry, answers }], this.standing);
    }
    this.waiting.passed(seq, ordered);
  }

  stop(): void {
    this.#given.stop();
    this.waiting.stop();
  }

  /** Another daemon has brought it before the client. */
  async #heldAnswer(taken: Taken): Promise<EnvelopeAnswer> {
    return (await this.#given.find(taken)) ?? answerNotKept(taken.id);
  }
}

const isRefusal = (came: Came): came is RefusedEnvelope => "kind" in came;
