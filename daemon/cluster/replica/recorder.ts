/**
 * Records envelopes on a daemon with a timeline. It folds each envelope that may change something, and answers the
 * envelope once it is as safe as --fsync requires. The pipeline has checked the envelope before. The recorder also
 * decides whether clients' writes are refused now, for example because the daemon catches up, is not a member, or its
 * clock is wrong.
 */

import { DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { UnlistedCause } from "../../../protocol/figures/unlisted-causes.js";
import type { StateName } from "../../../protocol/state-names.js";
import { commandsIn, dateText, type Envelope, unitsIn } from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate, Wait } from "../../../protocol/version-2/messages-v2.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import {
  type Answered,
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  refusedIn,
} from "../../engine/answers/request.js";
import { type ReadStatus, resultOf } from "../../engine/answers/result-writer.js";
import type { VerifiedEnvelope } from "../../engine/pipeline/apply-units.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";
import type { Entry, OrderKey } from "../../timeline/entries/entry.js";
import { mayChange } from "../../timeline/entries/recorded-envelopes.js";
import type { BetweenUnits, FoldedEntry, UnitAnswer } from "../../timeline/fold/fold.js";
import { Confirmations, unmetResultOf, whenDatable, whenFlushed } from "./delayed-answers.js";
import type { DecidedUnits, Recorded } from "./entry-recorder.js";
import { MemberAnswers, notFlushed } from "./member-answers.js";
import { MemberListCommands } from "./member-list-commands.js";
import { PatternOrders } from "./pattern-orders.js";
import { type Chosen, choicesOf, type Unsigned } from "./recorded-choices.js";
import { answerNotStored, entryOf, type GatewayClass, RecordingBase } from "./recording-base.js";
import { type NodeState, nextTurn } from "./replica-context.js";

export class Recorder extends RecordingBase {
  readonly #node: NodeState;
  protected readonly memberAnswers: MemberAnswers;
  readonly appliesImmediately = true;
  readonly #confirmations: Confirmations;
  /** Answers commands about the member list. Null if this daemon supports no member lists. */
  readonly #lists: MemberListCommands | null;
  #hasLoggedStandstill = false;
  readonly patternOrders: PatternOrders;

  constructor(node: NodeState, gatewayClass: GatewayClass | null, defer = nextTurn) {
    super(node, node.backend, gatewayClass, defer);
    this.#node = node;
    const { environment, settings, storage, lists } = node;
    const hasAllUpTo = (slot: number) => node.peering.decisions.hasAllUpTo(slot);
    this.memberAnswers = new MemberAnswers(environment, settings.window.past, storage, hasAllUpTo);
    this.#confirmations = new Confirmations(node);
    this.patternOrders = new PatternOrders(node, this);
    this.#lists = lists === null ? null : new MemberListCommands(lists, node, this);
  }

  /** The daemon's state. The first reason that applies determines it. */
  get state(): StateName {
    const { timeline, peering } = this.#node;
    if (timeline.failure !== null) return "storage-failed";
    if (timeline.standstill !== null) return "outdated";
    if (this.revoked !== null) return "revoked";
    if (this.unlisted !== null) return "not-listed";
    if (peering.admission.isRefused) return "not-admitted";
    if (timeline.state !== "live" || peering.state === "catching-up") return "catching-up";
    if (this.#mayBeStale) return "catching-up";
    return peering.isSkewed || this.#isWatermarkAhead ? "clock-off" : peering.state;
  }

  get reason(): string {
    const { timeline, peering } = this.#node;
    switch (this.state) {
      case "storage-failed":
        return timeline.failure ?? "";
      case "outdated":
        return timeline.standstill ?? "";
      case "revoked":
        return `reported by ${this.revoked}`;
      case "not-listed":
        return this.unlisted ?? "";
      case "not-admitted":
      case "isolated":
        return peering.admission.refusalText ?? "";
      case "catching-up":
        return this.#mayBeStale ? MAY_BE_STALE : peering.reason;
      case "clock-off":
        return peering.isSkewed ? SKEWED : `${AHEAD}${dateText(timeline.watermark)}`;
      default:
        return "";
    }
  }

  /** Whether this daemon was live, but may have missed entries since then. */
  get #mayBeStale(): boolean {
    const { peering } = this.#node;
    return peering.state === "live" && peering.standstill.mayBeStale;
  }

  /** Whether the dates that the watermark forbids include all dates that clients may use now. */
  get #isWatermarkAhead(): boolean {
    const { timeline, environment, settings } = this.#node;
    return timeline.watermark > environment.clock() + settings.window.future;
  }

  /**
   * The source of the report that the daemon's own key was revoked: the key ring, or a peer. Null if there is no such
   * report. A daemon with a revoked key accepts no writes, because they would reach no other daemon.
   */
  get revoked(): string | null {
    const { identity, timeline, peering } = this.#node;
    const record = timeline.ring.find(identity.id);
    if (record !== undefined && record.revokedAt !== null) return "the key ring";
    return peering.removalReport?.code === "revoked" ? peering.removalReport.by : null;
  }

  /** The reason why this daemon is not a member of the current list, or null if it is a member, or there is no list. */
  get unlisted(): string | null {
    const { lists, peering } = this.#node;
    const own = lists?.refusal ?? null;
    if (own !== null || peering.removalReport === null || peering.removalReport.code === "revoked")
      return own;
    return `${peering.removalReport.by} reports that the list of members does not name it`;
  }

  /** The cause of `unlisted`. */
  get unlistedCause(): UnlistedCause | null {
    const { lists, peering } = this.#node;
    const code = peering.removalReport?.code;
    const reported = code === "left-out" || code === "not-listed" ? code : null;
    return lists?.refusalCause ?? reported;
  }

  /** The read status that is sent with each answer. */
  get readStatus(): ReadStatus {
    const { state } = this;
    const { peering, timeline, environment } = this.#node;
    if (state !== "live") {
      const isCutOff = DAEMON_STATES[state].isComplete && peering.state === "isolated";
      return isCutOff ? "isolated" : "catching-up";
    }
    // Other members may have applied more entries than this daemon, if entries wait here because this clock is slow, or
    // if this daemon is cut off.
    return peering.standstill.isCutOff || timeline.waiting.isDelayed(environment.uptime) ? "catching-up" : "";
  }

  get decides(): boolean {
    return this.#node.lists?.hasLists ?? false;
  }

  /** The number of other daemons that are connected. */
  get members(): number {
    const connected = this.#node.peering.members.filter(({ connection }) => connection === "connected");
    return new Set(connected.map(({ id }) => id)).size;
  }

  /**
   * An upper bound of the number of daemons in the cluster, as far as this daemon knows: this daemon, the addresses of
   * --peer, and other connected or listed members.
   */
  get daemons(): number {
    return 1 + this.#node.peering.members.length;
  }

  get flushing(): Promise<void> | null {
    return this.#node.timeline.flushing;
  }

  get undone(): number {
    return this.#node.timeline.undone;
  }

  get newest(): EnvelopeDate {
    return this.#node.timeline.newest;
  }

  get ring(): KeyRing {
    return this.#node.timeline.ring;
  }

  /** Whether an envelope is recorded. Envelopes that only read data are not. */
  records(envelope: Pick<Envelope, "commands">): boolean {
    return mayChange(envelope);
  }

  /** Whether the entry was recorded. Returns false for pruned entries, which are refused because of their date. */
  holds(orderKey: OrderKey): boolean {
    const { timeline } = this.#node;
    if (timeline.decided.find(orderKey.id) !== null) return true;
    return orderKey.at > timeline.prunedTo && timeline.holds(orderKey);
  }

  /** The date at or before which this daemon signs nothing any longer. */
  get floor(): number {
    return Math.max(this.#node.timeline.watermark, this.#node.timeline.ownDates.closedTo);
  }

  get commonClock(): number {
    return this.#node.peering.decisions.commonClock;
  }

  /** Whether reads already include the entry. Others with the same or an earlier date may still be waiting. */
  protected isSettled(orderKey: OrderKey): boolean {
    const { timeline } = this.#node;
    if (timeline.decided.find(orderKey.id) !== null) return true;
    const isOpen = timeline.state === "live" && timeline.standstill === null;
    return isOpen && timeline.holds(orderKey) && !timeline.waiting.has(orderKey);
  }

  /**
   * Stores the answers to members' entries that have been folded.
   * @param answered  the entries whose answers are known
   */
  folded(entries: readonly Entry[], answered: readonly FoldedEntry[]): void {
    this.memberAnswers.folded(entries, answered, this.readStatus);
  }

  /** Logs, once, that the timeline is at a standstill. */
  logStandstill(): void {
    const { timeline, log } = this.#node;
    const { standstill } = timeline;
    if (standstill !== null && !this.#hasLoggedStandstill) log.error({ reason: standstill }, AT_STANDSTILL);
    this.#hasLoggedStandstill = standstill !== null;
  }

  override stop(): void {
    this.#confirmations.stop();
    super.stop();
  }

  protected override answerHere(verified: VerifiedEnvelope): Answered | null {
    return this.#lists?.answer(verified) ?? null;
  }

  confirm(orderKey: OrderKey, wait: Wait): Promise<boolean> {
    const decided = this.#node.timeline.decided.find(orderKey.id);
    return this.#confirmations.confirm(decided ?? orderKey, wait);
  }

  sendToPeers(entry: Entry): void {
    this.#node.peering.pushOwn(entry);
  }

  protected recordEnvelope(verified: VerifiedEnvelope, readStatus: ReadStatus): Answered {
    const answer = this.patternOrders.answer(verified, this.#decide);
    if (answer !== null) return answer;
    const entry = entryOf(verified);
    return this.#node.timeline.prepare(entry)
      ? this.#recordAndAnswer(verified, entry, readStatus)
      : this.#prepareAndRecord(verified, entry);
  }

  /** Waits for the members' decision on a client's envelope. */
  readonly #decide = (verified: VerifiedEnvelope): Promise<EnvelopeAnswer> =>
    this.memberAnswers.decisionFor(verified, entryOf(verified), this.#node);

  decide(entry: Entry): Promise<DecidedUnits | RefusedEnvelope> {
    return this.memberAnswers.decisionOnOwn(entry, this.#node);
  }

  /** Records an entry whose preparation takes several turns. Other clients are served between these turns. */
  async #prepareAndRecord(verified: VerifiedEnvelope, entry: Entry): Promise<EnvelopeAnswer> {
    const { timeline, soon } = this.#node;
    do await new Promise<void>((resolve) => soon(resolve));
    while (!timeline.prepare(entry));
    // In the meantime a member may have sent the entry, or the disk or the clock may have failed.
    const refusal = this.refusal(this.readStatus, verified.envelope.commands);
    return (
      this.firstAnswer(verified) ??
      (refusal === null
        ? this.#recordAndAnswer(verified, entry, this.readStatus)
        : notApplied(verified.id, refusal))
    );
  }

  #recordAndAnswer(verified: VerifiedEnvelope, entry: Entry, readStatus: ReadStatus): Answered {
    const { id, maxReplyBytes, isOnlyHere } = verified;
    const { timeline, environment } = this.#node;
    const unmet = isOnlyHere ? timeline.unmetAlone(entry) : null;
    // Like the answer to a read, it shows other writes.
    if (unmet !== null) return whenFlushed(unmetResultOf(id, unmet, maxReplyBytes), timeline.flushing);
    const recorded = this.record(entry, null, isOnlyHere);
    if ("kind" in recorded) {
      const ahead = timeline.newest.at - environment.clock();
      return isOnlyHere ? whenDatable(recorded, ahead, environment) : recorded;
    }
    return whenFlushed(resultOf(id, recorded.answers, { maxReplyBytes, readStatus }), recorded.flushed);
  }

  /**
   * Returns why no write is accepted from clients now, or null if writes are accepted.
   * @param readStatus  the current read status. If it is empty, there is no reason for a refusal
   * @param commands  the commands of the envelope: a new daemon that its peers refuse may accept CLUSTER ADD
   */
  refusal(readStatus = this.readStatus, commands: Envelope["commands"] = []): Refused | null {
    if (readStatus === "") return null;
    const isCure = this.state === "not-admitted" && this.#node.peering.admission.accepts(commands);
    return isCure ? null : refusedIn(this);
  }

  choicesOf(unsigned: Unsigned, date: EnvelopeDate): Chosen {
    return choicesOf(unsigned, date, this.trialState);
  }

  /**
   * Records an entry that is known to be valid.
   * @param isOnlyHere  whether no other daemon receives the entry from its client
   */
  record(entry: Entry, between: BetweenUnits | null = null, isOnlyHere = true): Recorded | RefusedEnvelope {
    const { id } = entry;
    const { timeline } = this.#node;
    const { ring } = timeline;
    const { changes } = ring;
    const taking = timeline.accept(entry, between, isOnlyHere);
    switch (taking.kind) {
      case "accepted":
        if (timeline.ring !== ring || ring.changes !== changes) this.#auditChange(entry, taking.answers);
        return { answers: taking.answers, flushed: taking.flushed };
      case "duplicate":
        return answerNotStored(id);
      case "too-old":
        return notApplied(id, refused("too-old", "at or before the low watermark"));
      case "overtaken":
        return notApplied(id, refused("too-old", "a condition, dated before a unit on its keys"));
      case "too-many-steps":
        return notApplied(id, refused("too-much", "on this daemon's state"));
      case "failed":
        return notApplied(id, refused("storage-failed", taking.detail));
    }
  }

  /** Answers a client's envelope whose entry has already arrived from a member. */
  protected async storedAnswer(verified: VerifiedEnvelope): Promise<EnvelopeAnswer> {
    const { at, seq } = verified.envelope;
    const { id } = verified;
    try {
      const found = await this.memberAnswers.find(verified);
      if (found !== null) return found;
      const { timeline } = this.#node;
      const isDecided = timeline.decided.find(id) !== null;
      const isWaiting = !isDecided && timeline.standstill === null && !timeline.hasFolded({ at, seq, id });
      return (isWaiting ? await this.memberAnswers.wait(verified) : null) ?? answerNotStored(id);
    } catch (problem) {
      return notFlushed(id, problem as Error);
    }
  }

  #auditChange({ id, envelope }: Entry, answers: readonly UnitAnswer[]): void {
    const { commands, at } = envelope;
    if (!commands.every(isKeyCommand)) return;
    const signer = this.ring.find(envelope.key) ?? { id: envelope.key, label: "" };
    for (const [i, range] of unitsIn(envelope).entries()) {
      const answer = answers[i];
      if (answer?.outcome !== "applied" || answer.reply.kind === "error") continue;
      for (const argv of commandsIn(envelope, range))
        this.audit.changed(argv, at, unitId(id, range.index), signer);
    }
  }
}

const MAY_BE_STALE =
  "it was suspended, or its clock was set ahead, and it has not yet compared itself with most of its peers";
const SKEWED = "it differs too much from the other daemons' clocks";
const AHEAD = "this daemon accepts no writes dated at or before ";

const AT_STANDSTILL =
  "the cluster uses a semantics version that this release does not know: entries are stored but not applied, and neither reads nor writes are answered";
