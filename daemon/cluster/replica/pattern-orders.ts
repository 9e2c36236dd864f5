/**
 * Requests the members' decisions on patterns of decided keys: on what the operator of this daemon's folder orders with
 * the daemon's own key, and on the beginning of a pattern that each member knows. Source: docs/decisions/0081.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import { type EnvelopeAnswer, notApplied, type Refused, refused } from "../../engine/answers/request.js";
import { resultOf } from "../../engine/answers/result-writer.js";
import type { VerifiedEnvelope } from "../../engine/pipeline/apply-units.js";
import { checkPatternUnit } from "../../engine/pipeline/decided-checks.js";
import { namedPattern } from "../../store/commands/key-ring-commands.js";
import { isKeyCommand, isPatternCommand, patternWordOf } from "../../store/key-command.js";
import {
  type DecidedPattern,
  DecidedPatterns,
  type PatternName,
  TAKES_ELSEWHERE,
} from "../../store/rights/decided-patterns.js";
import { PLACED_AHEAD_MS } from "../peers/shared/peering-limits.js";
import type { EntryRecorder } from "./entry-recorder.js";
import { OwnEnvelopes } from "./own-envelopes.js";
import type { NodeState } from "./replica-context.js";

/**
 * Milliseconds for which a pattern that may begin is left to the keeper. Then every member requests the decision,
 * because the keeper may be unable to: the key of its daemon may not be authorized, for example.
 */
const KEEPER_MS = 5_000;

export class PatternOrders {
  readonly #node: NodeState;
  readonly #recorder: EntryRecorder;
  readonly #own: OwnEnvelopes;
  /** Whether the members are deciding on the beginning of a pattern. */
  #isBeginning = false;
  /** The first pattern that may begin, and the `uptime` at which this daemon found it. */
  #next: DecidedPattern | undefined;
  #nextSince = 0;

  constructor(node: NodeState, recorder: EntryRecorder) {
    this.#node = node;
    this.#recorder = recorder;
    this.#own = new OwnEnvelopes(recorder, node);
  }

  /** At intervals, begins a pattern that every member knows, if this daemon is the keeper, or the keeper does not. */
  tick(): void {
    const { ring } = this.#recorder;
    if (ring.patterns.isEmpty || this.#isBeginning) return;
    const { identity, peering, environment } = this.#node;
    const { beginnings, figures } = peering.decisions;
    const now = environment.uptime();
    const [pattern] = beginnings.ready;
    if (pattern !== this.#next) this.#nextSince = now;
    this.#next = pattern;
    if (pattern === undefined) return;

    const isLeftToKeeper = figures.keeper !== identity.id && now - this.#nextSince < KEEPER_MS;
    if (isLeftToKeeper || this.#own.refusal() !== null) return;
    this.#isBeginning = true;
    void this.#request(["CLUSTER", "DECIDED", ...argumentsOf(pattern)]).finally(() => {
      this.#isBeginning = false;
    });
  }

  /**
   * Answers a client's envelope that is an order, that is refused because of a pattern, or on which the members decide.
   * @param decide  waits for the members' decision on the envelope
   * @returns null if the envelope has to be recorded
   */
  answer(
    verified: VerifiedEnvelope,
    decide: (verified: VerifiedEnvelope) => Promise<EnvelopeAnswer>,
  ): Promise<EnvelopeAnswer> | EnvelopeAnswer | null {
    const { envelope, id } = verified;
    // Without patterns, most envelopes are recorded without a further look at their commands.
    if (!this.#mayConcern(envelope)) return null;
    const ordered = this.#order(verified);
    if (ordered !== null) return ordered;
    const refusal = this.#refusal(envelope);
    if (refusal !== null) return notApplied(id, refusal);
    return this.#mustDecide(envelope) ? decide(verified) : null;
  }

  #mayConcern({ commands, decide }: Envelope): boolean {
    const [argv = [""]] = commands;
    return decide || this.#recorder.ring.patterns !== DecidedPatterns.NONE || isKeyCommand(argv);
  }

  /** Whether the members decide on a client's envelope. */
  #mustDecide(envelope: Envelope): boolean {
    const { ring } = this.#recorder;
    const [argv = []] = envelope.commands;
    return envelope.decide || isPatternCommand(argv) || ring.patterns.begun.findIn(envelope, ring) !== null;
  }

  /** Returns why a client's envelope is refused because of a pattern; null: it is not. */
  #refusal(envelope: Envelope): Refused | null {
    const { ring } = this.#recorder;
    const [argv = []] = envelope.commands;
    if (envelope.commands.some(isPatternCommand)) {
      const wrong = checkPatternUnit(envelope);
      if (wrong !== null) return wrong;
      const isPair = this.#node.lists?.membership.inForce?.list.members.length === 2;
      const isUnconfirmed =
        isPair && patternWordOf(argv) === "DECIDE" && namedPattern(argv)?.isForPair === false;
      return isUnconfirmed ? refused("cannot-decide", PAIR) : null;
    }
    if (this.#mustDecide(envelope))
      return ring.patterns.hasMixed(envelope, ring) ? refused("cannot-decide", TAKES_ELSEWHERE) : null;

    // With an earlier date, the members may have placed it before the pattern was removed, or it is void, although this
    // daemon does not have these decisions yet.
    const patterns = [ring.patterns, ring.patterns.endedSince(envelope.at - PLACED_AHEAD_MS)];
    const [found] = patterns.flatMap((some) => some.findIn(envelope, ring)?.[0] ?? []);
    return found === undefined ? null : refused("needs-decision", found);
  }

  /** Lets the members decide on an order that is signed with this daemon's own key; null: it is none. */
  #order(verified: VerifiedEnvelope): Promise<EnvelopeAnswer> | EnvelopeAnswer | null {
    const { envelope, id } = verified;
    const { commands, key } = envelope;
    const [argv = []] = commands;
    const word = patternWordOf(argv);
    if (key !== this.#node.identity.id || word === null || word === "DECIDED") return null;
    const refusal = this.#refusal(envelope) ?? this.#own.refusal();
    return refusal === null ? this.#answerOrder(verified, argv) : notApplied(id, refusal);
  }

  async #answerOrder(
    { id, maxReplyBytes }: VerifiedEnvelope,
    argv: readonly ByteString[],
  ): Promise<EnvelopeAnswer> {
    const decided = await this.#request(argv);
    if ("kind" in decided) return { ...decided, id };
    return resultOf(id, decided.answers, { maxReplyBytes, readStatus: "" });
  }

  #request(argv: readonly ByteString[]): ReturnType<EntryRecorder["decide"]> {
    const header = { db: 0, as: null, multi: false, conditions: null, decide: true };
    return this.#recorder.decide(this.#own.sign(header, [argv], this.#own.decidedDate([])));
  }
}

const argumentsOf = ({ glob, db }: PatternName): readonly ByteString[] =>
  db === null ? [glob] : [glob, "DB", String(db)];

const PAIR = "a pair decides only while both run: add a third daemon, or add the word PAIR to accept that";
