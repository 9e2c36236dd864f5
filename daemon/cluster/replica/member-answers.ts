/**
 * Waits for the members' decisions, and stores the fold's answers to entries that members sent. If a client sends the
 * same envelope later, it receives the answers that it would have received if its own copy had arrived first. The
 * answers are kept as long as the envelope's date is in the window. Their number and bytes are limited, and the oldest
 * answers are dropped first.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { implicitCondition } from "../../../protocol/implicit-condition.js";
import { NIL_ARRAY } from "../../../protocol/reply.js";
import { unitIdOf } from "../../../protocol/version-2/decision-body.js";
import { type Envelope, outcomeAt } from "../../../protocol/version-2/envelope.js";
import {
  type EnvelopeAnswer,
  notApplied,
  type RefusedEnvelope,
  type Result,
  refused,
  unknown,
} from "../../engine/answers/request.js";
import {
  decidedResultOf,
  finalResultOf,
  placedResultOf,
  type ReadStatus,
  resultOf,
} from "../../engine/answers/result-writer.js";
import type { VerifiedEnvelope } from "../../engine/pipeline/apply-units.js";
import { WaitingEnvelopes } from "../../engine/pipeline/waiting-envelopes.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { type Entry, orderKeyOf } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { FoldedEntry, UnitAnswer } from "../../timeline/fold/fold.js";
import type { DecidedUnits } from "./entry-recorder.js";
import type { NodeState } from "./replica-context.js";

/**
 * The maximum number of answers: 10 s at 10,000 envelopes a second. A client's copy usually arrives a few milliseconds
 * later.
 */
const ANSWERS_MAX = 100_000;
/** The maximum bytes of all answers. */
const BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of an answer in addition to its replies. */
const ANSWER_BYTES = 200;

/** The state's answers to the units of an envelope of this daemon. */
interface OwnAnswer extends DecidedUnits {
  /** Whether it must wait for the disk. */
  readonly isHeld: boolean;
}

interface StoredAnswer {
  readonly at: number;
  readonly result: Result;
  /** Whether it must wait for the disk. */
  readonly isHeld: boolean;
}

/** What passes envelopes to the members. */
type DecidingNode = Pick<NodeState, "peering" | "timeline">;

export class MemberAnswers {
  readonly #environment: Environment;
  readonly #past: number;
  readonly #storage: Storage | null;
  readonly #hasAllUpTo: (slot: number) => boolean;
  /** Answers by id, in the order in which they were added. */
  readonly #answers = new Map<ByteString, StoredAnswer>();
  #bytes = 0;
  /** The clients that wait until a member's copy of their envelope has been folded. */
  readonly #waiters: WaitingEnvelopes;
  /** The answers to this daemon's own envelopes that wait for a decision, by their ids; null: not known. */
  readonly #own = new Map<ByteString, OwnAnswer | RefusedEnvelope | null>();

  /**
   * @param past  milliseconds by which an envelope's date may be earlier than the clock
   * @param storage  the storage of the entries: an answer is delayed until its entry is as safe as --fsync requires.
   * Null if a stream stores the entries, because answers are then final
   * @param hasAllUpTo  whether the decision in a slot and all before it are part of the state
   */
  constructor(
    environment: Environment,
    past: number,
    storage: Storage | null,
    hasAllUpTo: (slot: number) => boolean,
  ) {
    this.#hasAllUpTo = hasAllUpTo;
    this.#environment = environment;
    this.#past = past;
    this.#storage = storage;
    this.#waiters = new WaitingEnvelopes(environment);
  }

  /**
   * Stores the answers to entries of members that have become part of the state.
   * @param answered  the entries whose answers are known
   * @param readStatus  the read status of the current answers
   */
  folded(entries: readonly Entry[], answered: readonly FoldedEntry[], readStatus: ReadStatus): void {
    if (this.#own.size > 0) for (const entry of entries) this.#answerOwn(entry, answered);

    const oldest = this.#environment.clock() - this.#past;
    const write = this.#storage === null ? finalResultOf : resultOf;
    for (const { entry, answers } of answered) {
      const { at, decided, decide } = entry.envelope;
      // Skip old entries: while this daemon catches up, it receives millions of entries whose answers no client will
      // request.
      if (at <= oldest || this.#mayChange(entry.envelope)) continue;

      const id = requestedId(entry);
      const writeDecided = decide ? decidedResultOf : placedResultOf;
      const writeAll = decided === null ? write : writeDecided;
      const result = writeAll(id, answers, { maxReplyBytes: BYTES_MAX, readStatus });
      this.#answers.set(id, { at, result, isHeld: !showsOnlyDecision(entry.envelope) });
      this.#bytes += bytesOf(result);
    }

    this.#forget(oldest);
    for (const entry of entries) this.#waiters.applied(requestedId(entry));
  }

  /** Returns the answer to an envelope, once its entry is on enough disks, or null if it is unknown. */
  async find({ id, maxReplyBytes }: VerifiedEnvelope): Promise<Result | null> {
    const answer = this.#answers.get(id);
    if (answer === undefined || answer.result.replies.length > maxReplyBytes) return null;
    if (answer.isHeld) await this.#storage?.flushed();
    return answer.result;
  }

  /** Waits until the entry of an envelope is folded, and returns the answer, or null if that takes too long. */
  async wait(verified: VerifiedEnvelope): Promise<Result | null> {
    const { id, envelope, message } = verified;
    return (await this.#waiters.wait(id, envelope.key, message.body.length)) ? this.find(verified) : null;
  }

  /**
   * Passes a client's envelope to the members, and waits for their decision. The room for waiting units limits the
   * number of these waits.
   */
  decisionFor(verified: VerifiedEnvelope, entry: Entry, node: DecidingNode): Promise<EnvelopeAnswer> {
    const wait = async () => ((await this.#waiters.waitForAdmitted(entry.id)) ? this.find(verified) : null);
    return this.#decisionOn(entry, node, { wait, isOnlyHere: false });
  }

  /** Passes an envelope that this daemon has signed to the members, and waits for their decision. */
  decisionOnOwn(entry: Entry, node: DecidingNode): Promise<DecidedUnits | RefusedEnvelope> {
    const wait = () => this.#waitForOwn(entry.id);
    return this.#decisionOn(entry, node, { wait, isOnlyHere: true });
  }

  async #decisionOn<Answer>(
    entry: Entry,
    { peering: { decisions }, timeline }: DecidingNode,
    { wait, isOnlyHere }: DecisionOptions<Answer>,
  ): Promise<Answer | RefusedEnvelope> {
    const { id, body, envelope } = entry;
    const obstacle = decisions.obstacle(id, envelope.key, body.length, isOnlyHere);
    if (obstacle !== null) return notApplied(id, refused("cannot-decide", obstacle));
    // The members may still decide on a unit that they know, whatever this daemon answers.
    if (!decisions.isKnown(id) && timeline.exceedsUndecided(entry))
      return notApplied(id, refused("too-much", "on this daemon's state"));

    const answer = wait();
    let refusal = unknown(notApplied(id, refused("undecided", "not in time")));
    decisions.submit(entry, isOnlyHere, (wasSent, reason) => {
      refusal = wasSent
        ? unknown(notApplied(id, refused("undecided", reason)))
        : notApplied(id, refused("cannot-decide", reason));
      this.#waiters.giveUp(id);
    });

    try {
      return (await answer) ?? refusal;
    } catch (problem) {
      return notFlushed(id, problem as Error);
    }
  }

  /** @returns null if the decision takes too long, or if the replies are not known */
  async #waitForOwn(id: ByteString): Promise<DecidedUnits | RefusedEnvelope | null> {
    this.#own.set(id, null);
    await this.#waiters.waitForAdmitted(id);
    const answer = this.#own.get(id) ?? null;
    this.#own.delete(id);
    if (answer !== null && "isHeld" in answer && answer.isHeld) await this.#storage?.flushed();
    return answer;
  }

  /** Stores the answers to the decided units of an envelope of this daemon. */
  #answerOwn(entry: Entry, answered: readonly FoldedEntry[]): void {
    const { decided } = entry.envelope;
    const id = requestedId(entry);
    if (decided === null || !this.#own.has(id)) return;
    if (decided.outcomes[0] === "too-much") {
      this.#own.set(id, notApplied(id, refused("too-much", "on the members' state")));
      return;
    }
    const known = answered.find((one) => one.entry === entry)?.answers;
    const isUnmet = decided.outcomes.length === 1 && outcomeAt(decided, 0) === "unmet";
    const answers = this.#mayChange(entry.envelope) ? null : (known ?? (isUnmet ? [UNMET] : null));
    const isHeld = !showsOnlyDecision(entry.envelope);
    this.#own.set(id, answers && { orderKey: orderKeyOf(entry), answers, isHeld });
  }

  /**
   * Whether the answer to a decided envelope may change: a daemon that was suspended or cut off receives earlier
   * decisions later, and one of them may have taken the same element.
   */
  #mayChange(envelope: Envelope): boolean {
    const { decided } = envelope;
    return decided !== null && !showsOnlyDecision(envelope) && !this.#hasAllUpTo(decided.slot);
  }

  /** Releases all waiting clients. */
  stop(): void {
    this.#waiters.stop();
  }

  #forget(oldest: number): void {
    for (const [id, { at, result }] of this.#answers) {
      if (at > oldest && this.#answers.size <= ANSWERS_MAX && this.#bytes <= BYTES_MAX) return;
      this.#answers.delete(id);
      this.#bytes -= bytesOf(result);
    }
  }
}

/**
 * Whether the answer to an envelope shows only what members have decided, which is stored in the votes of a majority.
 * Any other answer may show a write that is not on the disk yet.
 */
const showsOnlyDecision = ({ decided, decide, multi, commands }: Envelope): boolean =>
  decided !== null &&
  decide &&
  decided.outcomes.every(
    (outcome, index) =>
      outcome !== "applied" || (!multi && implicitCondition(commands[index] ?? []) !== null),
  );

interface DecisionOptions<Answer> {
  /** Begins to wait for the answer; null: there is none in time. */
  readonly wait: () => Promise<Answer | null>;
  /** Whether no other member receives the envelope from the client. */
  readonly isOnlyHere: boolean;
}

export const notFlushed = (id: ByteString, { message }: Error): RefusedEnvelope =>
  unknown(notApplied(id, refused("storage-failed", message)));

/** Returns the id of the envelope that a client has sent: of a decision, that of its unit. */
const requestedId = (entry: Entry): ByteString => unitIdOf(entry, hashOf) ?? entry.id;

/** The answer to a unit whose conditions do not hold. */
const UNMET: UnitAnswer = { reply: NIL_ARRAY, outcome: "unmet", late: false };

const bytesOf = ({ replies }: Result) => replies.length + ANSWER_BYTES;
