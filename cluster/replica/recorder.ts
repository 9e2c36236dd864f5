/**
 * Envelopes that change something, on a daemon with a timeline: recorded, folded, and answered once that is as safe as
 * --fsync says. What the pipeline checks has been checked.
 */
import type { Logger } from "pino";
import {
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  unknown,
} from "../../engine/answers/request.js";
import { resultOf, type Standing } from "../../engine/answers/result-writer.js";
import type { ShownState } from "../../engine/pipeline/recording.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { KeyAudit } from "../../engine/trust/key-audit.js";
import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Envelope, unitId } from "../../protocol/version-2/envelope.js";
import type { DaemonState, EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";
import type { Entry, Place } from "../../timeline/entries/entry.js";
import { mayChange } from "../../timeline/entries/recorded.js";
import type { FoldedEntry, UnitAnswer } from "../../timeline/fold/fold.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { MemberLists } from "../members/member-lists.js";
import type { StandingStill } from "../peers/standing-still.js";
import { answerUnrecorded } from "./denials.js";
import { GivenAnswers } from "./given-answers.js";

/** What is used of a timeline. */
export type RecorderTimeline = Pick<
  Timeline,
  | "prepare"
  | "take"
  | "holds"
  | "hasFolded"
  | "prunedTo"
  | "newest"
  | "ring"
  | "state"
  | "failure"
  | "standstill"
> & { readonly waiting: Pick<Timeline["waiting"], "isBehind" | "has"> };

/** What is used of the peers. */
export interface RecorderPeers {
  readonly state: DaemonState;
  /** Why it is `catching-up`. */
  readonly reason: string;
  /** Whether this daemon's clock is off those of the others. */
  readonly isSkewed: boolean;
  /** Whether the state may be an old one although it is live. */
  readonly standing: Pick<StandingStill, "isBehind" | "isCutOff">;
  /** What a member has said of this daemon, and which: that its own key was revoked, or that no list names it; null: nothing. */
  readonly word: { readonly code: string; readonly by: string } | null;
  /** The other daemons as far as they are known; one may stand there twice until it is connected. */
  readonly members: readonly { readonly id: ByteString | null; readonly connection: string }[];
}

export interface RecorderParts {
  /** The daemon's own. */
  readonly id: ByteString;
  readonly timeline: RecorderTimeline;
  readonly peers: RecorderPeers;
  /** Not there: it knows none. */
  readonly lists?: Pick<MemberLists, "refusal">;
  readonly log: Pick<Logger, "warn" | "error">;
  readonly environment: Pick<Environment, "uptime" | "clock" | "setTimer">;
  /** Milliseconds that an envelope's date may lie behind the clock. */
  readonly past: number;
  /** When all that was put on the disk is as safe as --fsync says. */
  readonly flushed: () => Promise<void>;
  /** Runs a step in a later turn of the event loop. */
  readonly soon: (step: () => void) => void;
}

/** An entry was recorded: what its units were answered, to be given when it is flushed. */
export interface Recorded {
  /** To be read when it is. */
  readonly answers: readonly UnitAnswer[];
  /** Rejects with `NotTaken` where it is known what became of it. */
  readonly flushed: Promise<void>;
}

/** An entry that was on its way to be recorded is not, or nobody knows. */
export class NotTaken extends Error {
  readonly refusal: RefusedEnvelope;

  constructor(refusal: RefusedEnvelope) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

export class Recorder {
  readonly #parts: RecorderParts;
  readonly #audit: KeyAudit;
  readonly #given: GivenAnswers;
  #hasToldStandstill = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#audit = new KeyAudit(parts);
    this.#given = new GivenAnswers(parts);
  }

  get state(): DaemonState {
    const { timeline, peers } = this.#parts;
    if (timeline.failure !== null || timeline.state !== "live") return "catching-up";
    if (timeline.standstill !== null) return "catching-up";
    if (this.revoked !== null || this.unlisted !== null) return "catching-up";
    return peers.state === "live" && peers.standing.isBehind ? "catching-up" : peers.state;
  }

  /** As operators are told, who have to do something else about a key that was revoked. */
  get shownState(): ShownState {
    if (this.revoked !== null) return "revoked";
    if (this.#parts.timeline.standstill !== null) return "outdated";
    return this.unlisted === null ? this.state : "not-listed";
  }

  /** Who tells that the daemon's own key was revoked, so that what it takes would reach nobody; null: it was not. */
  get revoked(): string | null {
    const { id, timeline, peers } = this.#parts;
    const record = timeline.ring.find(id);
    if (record !== undefined && record.revokedAt !== null) return "the key ring";
    return peers.word?.code === "revoked" ? peers.word.by : null;
  }

  /** Why it is no member of the list that there is; null: it is one, or there is none. */
  get unlisted(): string | null {
    const { lists, peers } = this.#parts;
    const own = lists?.refusal ?? null;
    if (own !== null || peers.word === null || peers.word.code === "revoked") return own;
    return `${peers.word.by} says that the list of members does not name it`;
  }

  /** What answers are marked with. */
  get standing(): Standing {
    const { state } = this;
    if (state !== "live") return state;
    const { peers, timeline, environment } = this.#parts;
    // What is dated ahead of a clock that is behind waits: the others have more. So they may where they are not heard from.
    return peers.isSkewed || peers.standing.isCutOff || timeline.waiting.isBehind(environment.uptime)
      ? "catching-up"
      : "";
  }

  /** How many other daemons are connected. */
  get members(): number {
    const connected = this.#parts.peers.members.filter(({ connection }) => connection === "connected");
    return new Set(connected.map(({ id }) => id)).size;
  }

  /** How many there are in the cluster at most, as far as is known here: this one, those of --peer, and those connected besides. */
  get daemons(): number {
    return 1 + this.#parts.peers.members.length;
  }

  get newest(): EnvelopeDate {
    return this.#parts.timeline.newest;
  }

  get ring(): KeyRing {
    return this.#parts.timeline.ring;
  }

  /** Whether an envelope is recorded; others are read. */
  records(envelope: Pick<Envelope, "commands">): boolean {
    return mayChange(envelope);
  }

  /** Whether it was recorded; of what is not kept any more nobody knows, and its date says enough. */
  holds(place: Place): boolean {
    const { timeline } = this.#parts;
    return place.at > timeline.prunedTo && timeline.holds(place);
  }

  /** Whether what is read now knows of it, or did before it was forgotten; what else is dated up to it may still wait. */
  hasApplied(place: Place): boolean {
    const { timeline } = this.#parts;
    const isOpen = timeline.state === "live" && timeline.standstill === null;
    return isOpen && timeline.holds(place) && !timeline.waiting.has(place);
  }

  /** Entries of members have become part of the state. @param answered  those of them whose answers are known */
  folded(entries: readonly Entry[], answered: readonly FoldedEntry[]): void {
    this.#given.folded(entries, answered, this.standing);
  }

  /** Says, once, that the timeline stands still. */
  tellStandstill(): void {
    const { timeline, log } = this.#parts;
    const { standstill } = timeline;
    if (standstill !== null && !this.#hasToldStandstill) log.error({ reason: standstill }, STANDS_STILL);
    this.#hasToldStandstill = standstill !== null;
  }

  /** Envelopes that wait are answered. */
  stop(): void {
    this.#given.stop();
  }

  /** The first answer of an envelope that the pipeline has not answered; null: it is not recorded. */
  firstAnswer(taken: Taken): Promise<EnvelopeAnswer> | null {
    const { at, seq } = taken.envelope;
    return this.holds({ at, seq, id: taken.id }) ? this.#heldAnswer(taken) : null;
  }

  /** Records an envelope of a client. */
  take(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { standing } = this;
    const answer = answerUnrecorded(taken, standing, this, this.#audit);
    if (answer !== null) return answer;
    const { id, envelope, message } = taken;
    // The message's bytes are views of what came over the network.
    const [body, signature] = [Buffer.from(message.body), Buffer.from(message.signature)];
    const entry = { id, body, signature, envelope };
    return this.#parts.timeline.prepare(entry)
      ? this.#take(taken, entry, standing)
      : this.#takePrepared(taken, entry);
  }

  /** The same of one that needs long to get ready for: others are served meanwhile. */
  async #takePrepared(taken: Taken, entry: Entry): Promise<EnvelopeAnswer> {
    const { timeline, soon } = this.#parts;
    do await new Promise<void>((resolve) => soon(resolve));
    while (!timeline.prepare(entry));
    // A member may have given it, and the daemon may have lost its disk or its clock.
    const refusal = this.refusal();
    return (
      this.firstAnswer(taken) ??
      (refusal === null ? this.#take(taken, entry, this.standing) : notApplied(taken.id, refusal))
    );
  }

  #take({ id, room }: Taken, entry: Entry, standing: Standing): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const recorded = this.record(entry);
    if ("kind" in recorded) return recorded;
    const result = resultOf(id, recorded.answers, { room, standing });
    return recorded.flushed.then(
      () => result,
      (problem: Error) => notFlushed(id, problem),
    );
  }

  /** Why nothing is taken first-hand now. @param standing  as of now: what refuses writes marks answers */
  refusal(standing = this.standing): Refused | null {
    if (standing === "") return null;
    const { timeline, peers } = this.#parts;
    if (timeline.failure !== null) return refused("storage-failed", timeline.failure);
    if (timeline.standstill !== null) return refused("semantics-unknown", timeline.standstill);
    if (this.state === "catching-up") {
      const { revoked, unlisted } = this;
      if (revoked !== null) return refused("daemon-revoked", `as ${revoked} says`);
      if (unlisted !== null) return refused("not-listed", unlisted);
      return refused("catching-up", peers.reason);
    }
    return peers.isSkewed ? refused("clock-off", "more than the other daemons' clocks differ") : null;
  }

  /** Records what is certain to be an entry. */
  record(entry: Entry): Recorded | RefusedEnvelope {
    const { id } = entry;
    const { ring } = this;
    const { changes } = ring;
    const taking = this.#parts.timeline.take(entry);
    switch (taking.kind) {
      case "taken":
        if (this.ring !== ring || ring.changes !== changes) this.#auditChange(entry, taking.answers);
        return { answers: taking.answers, flushed: taking.flushed };
      case "held":
        return answerNotKept(id);
      case "too-old":
        return notApplied(id, refused("too-old", "at or before the low watermark"));
      case "too-much":
        return notApplied(id, refused("too-much", "on this daemon's state"));
      case "failed":
        return notApplied(id, refused("storage-failed", taking.detail));
    }
  }

  /** A member has given it before the client. */
  async #heldAnswer(taken: Taken): Promise<EnvelopeAnswer> {
    const { at, seq } = taken.envelope;
    const { id } = taken;
    try {
      const found = await this.#given.find(taken);
      if (found !== null) return found;
      const { timeline } = this.#parts;
      const isWaiting = timeline.standstill === null && !timeline.hasFolded({ at, seq, id });
      return (isWaiting ? await this.#given.wait(taken) : null) ?? answerNotKept(id);
    } catch (problem) {
      return notFlushed(id, problem as Error);
    }
  }

  #auditChange({ id, envelope }: Entry, answers: readonly UnitAnswer[]): void {
    const { commands, at, multi } = envelope;
    if (!commands.every(isKeyCommand)) return;
    const signer = this.ring.find(envelope.key) ?? { id: envelope.key, label: "" };
    for (const [index, argv] of commands.entries()) {
      const answer = answers[multi ? 0 : index];
      const unit = { at, id: unitId(id, multi ? 0 : index) };
      if (answer?.outcome === "applied" && answer.reply.kind !== "error")
        this.#audit.changed(argv, unit, signer);
    }
  }
}

export const answerNotKept = (id: ByteString): RefusedEnvelope =>
  unknown(notApplied(id, refused("answer-not-kept", "seen before")));

const notFlushed = (id: ByteString, { message }: Error): RefusedEnvelope =>
  unknown(notApplied(id, refused("storage-failed", message)));

const STANDS_STILL =
  "the cluster's commands mean what this release does not know: it keeps what comes, applies nothing of it, and answers neither reads nor writes";
