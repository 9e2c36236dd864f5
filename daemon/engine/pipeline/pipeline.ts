/**
 * The path of a command from a listener to the databases and back: verify → parse → check the header → find an earlier
 * copy → check the date and the limits → record or apply, where the rights are checked. Each call processes one
 * request, which is a command of version 1 or an envelope of version 2. Refusals are returned, and not thrown. Source:
 * docs/protocol-v2.md "What a daemon checks, in this order".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { type Envelope, NO_KEY, readBody, signedPieces } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { CommandMessage, EnvelopeDate, Wait } from "../../../protocol/version-2/messages-v2.js";
import { entryKeyOf } from "../../../protocol/version-2/unit-names.js";
import { missingCode } from "../../store/family-code.js";
import type { UnitClient } from "../../store/keyspace/unit.js";
import type { OrderKey } from "../../timeline/entries/entry.js";
import {
  type Answer,
  type Answered,
  type EnvelopeAnswer,
  notApplied,
  type Refused,
  type RefusedEnvelope,
  type Request,
  refused,
  unknown,
} from "../answers/request.js";
import { whenSafe } from "../answers/safe-answers.js";
import { messagesOf } from "../channels/channels.js";
import { KeyAudit } from "../trust/key-audit.js";
import type { Signers } from "../trust/signers.js";
import { QueryClients, type UnitListener, Units, type VerifiedEnvelope } from "./apply-units.js";
import {
  type Audience,
  type CommandSigner,
  checkDate,
  checkEnvelope,
  checkSigned,
  checkValidity,
  reading,
  signerOfEnvelope,
} from "./envelope-checks.js";
import { checkOwnKey } from "./own-key-check.js";
import type { PipelineParts } from "./pipeline-parts.js";
import type { Recording } from "./recording-interface.js";
import { SeenEnvelopes } from "./seen-envelopes.js";
import { handleVersion1, type Version1Client } from "./version-1-commands.js";
import { WaitingEnvelopes } from "./waiting-envelopes.js";

export class Pipeline {
  /** The keys that may sign. Replaced when the keys are read again. */
  signers: Signers | null;
  /** Whether a daemon without keys executes unsigned commands: not if they would bypass other listeners' users. */
  acceptsUnsigned = true;
  readonly seen: SeenEnvelopes;
  /** Stores the writes in a timeline, or not at all. */
  readonly recording: Recording;
  readonly #parts: PipelineParts;
  readonly #units: Units;
  readonly #rates = new Rates();
  readonly #waiters: WaitingEnvelopes;
  /** The clients of envelopes that are being processed, by the envelope's id. */
  readonly #clients = new Map<ByteString, QueryClients>();
  #audience: Audience;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.signers = parts.signers;
    this.recording = parts.recording;

    const { daemon, databases } = parts;
    const { numbers, takeConditions } = databases;
    this.#audience = {
      cluster: NO_KEY,
      daemon,
      databases: numbers,
      takesConditions: takeConditions,
      decides: false,
    };

    this.seen = new SeenEnvelopes(parts.recording.seenTo, parts.seenLimits);
    const audit = new KeyAudit(parts.log, parts.environment);
    this.#units = new Units(parts.databases, audit, parts.broadcasts ?? null, parts.inspection ?? null);
    this.#waiters = new WaitingEnvelopes(parts.environment);
  }

  /** Handles a command of version 1. */
  handle(request: Request, client: Version1Client): Answer | Promise<Answer> {
    return handleVersion1(request, this, this.#parts, client);
  }

  /**
   * Handles an envelope of version 2.
   * @param maxReplyBytes  maximum bytes of all replies together
   * @param listener  receives the envelope instead of the databases, or null for the databases
   * @param client  the client, or undefined if it is unknown
   */
  handleEnvelope(
    message: CommandMessage,
    maxReplyBytes: number,
    listener: UnitListener | null = null,
    client?: UnitClient,
  ): Answered {
    const id = this.#parts.hash(...signedPieces(message.body));

    let signer: CommandSigner;
    let envelope: Envelope;
    try {
      signer = signerOfEnvelope(message, id, this, this.#parts);
      if (signer !== null && "kind" in signer) return this.#unidentified(message, notApplied(id, signer));
      envelope = readBody(message.body);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return notApplied(id, refused("malformed", problem.message));
      throw problem;
    }

    const missing = missingCode(envelope.commands);
    if (missing !== null) return notApplied(id, refused("semantics-unknown", missing));

    const isRecorded = listener === null && this.recording.records(envelope);
    const readStatus = isRecorded ? "" : this.recording.readStatus;
    const now = this.#parts.environment.clock();

    const answer = this.#answer({
      id,
      envelope,
      signer,
      message,
      now,
      isRecorded,
      maxReplyBytes,
      readStatus,
      listener,
      isOnlyHere: client?.isOnlyHere === true,
      clients: isRecorded || client === undefined ? undefined : new QueryClients(client, envelope),
    });
    // Promises have already passed through `#unknownIfHeld` where they were created.
    return answer instanceof Promise ? answer : this.#unknownIfHeld(answer, envelope);
  }

  #answer(verified: VerifiedEnvelope): Answered {
    const { id, message, signer, now } = verified;
    const misdirected = (signer && checkValidity(signer, now)) ?? this.#checkAddress(verified);
    if (misdirected !== null) return notApplied(id, misdirected);
    // Do not remember the refusal of an envelope without `only` by a listener. Otherwise an attacker could send an
    // intercepted command to a listener first, so that the daemon would refuse the client's own copy.
    if (verified.listener !== null && verified.envelope.only === null) return this.#apply(verified);
    if (message.wait !== undefined)
      return this.#laterUnknownIfHeld(this.#confirmed(verified, message.wait), verified);
    const first = this.#firstAnswer(verified);
    if (first === null) return this.#admit(verified);
    return first instanceof Promise ? this.#laterUnknownIfHeld(first, verified) : first;
  }

  /**
   * Changes the effect of a refusal to `unknown` if the envelope has been recorded, because a member sent it before or
   * in the meantime.
   */
  #unknownIfHeld(answer: EnvelopeAnswer, { at, seq }: EnvelopeDate): EnvelopeAnswer {
    const isCertain = answer.kind === "refused" && answer.effect === "not-applied";
    return isCertain && this.recording.holds({ at, seq, id: answer.id }) ? unknown(answer) : answer;
  }

  #laterUnknownIfHeld(
    answer: Promise<EnvelopeAnswer>,
    { envelope: { at, seq } }: VerifiedEnvelope,
  ): Promise<EnvelopeAnswer> {
    return answer.then((one) => this.#unknownIfHeld(one, { at, seq }));
  }

  /**
   * Answers an envelope whose key is unknown. The key may have been known when the envelope first arrived, before this
   * daemon received an earlier-dated revocation, or a snapshot without the key. In that case the outcome is unknown.
   */
  #unidentified({ body }: CommandMessage, answer: RefusedEnvelope): EnvelopeAnswer {
    const head = reading(() => readHead(body));
    if ("kind" in head) return answer;
    return this.seen.isApplied(answer.id, head.at) ? unknown(answer) : this.#unknownIfHeld(answer, head);
  }

  /**
   * Resumes the envelopes that wait for the given entries. Called when entries from members or from the gateway are on
   * disk.
   */
  arrived(entries: Iterable<{ readonly id: ByteString }>): void {
    for (const { id } of entries) this.#waiters.applied(id);
  }

  /** Refuses all envelopes that wait for another envelope. */
  stop(): void {
    this.#waiters.stop();
    this.recording.stop();
  }

  /** Delays the result until it is as certain as the client requires. */
  async #confirmed(verified: VerifiedEnvelope, wait: Wait): Promise<EnvelopeAnswer> {
    const { id, envelope, isRecorded } = verified;
    const recording = this.recording;
    const first = this.#firstAnswer(verified);
    const isTooMany = wait.kind === "replicated" && wait.daemons > recording.daemons;
    const refusal = notApplied(id, refused(isRecorded ? "too-few-daemons" : "cannot-wait", wait.kind));

    // The client may have sent the envelope before without a wait, so it may have been applied.
    if (!isRecorded || isTooMany) return first === null ? refusal : unknown(refusal);

    const answer = await (first ?? this.#admit(verified));
    const { at, seq } = envelope;
    if (answer.kind === "refused") return answer;
    const isHeld = recording.holds({ at, seq, id });
    // Such an envelope is not recorded here, unless another member whose ring permits it has sent it. Any other
    // envelope was recorded. If it is not held any longer, its entry is damaged, and its outcome is unknown.
    if (!isHeld && answer.isUnrecorded) return answer;
    if (isHeld && (await recording.confirm({ at, seq, id }, wait))) return answer;
    return unknown(notApplied(id, refused(`not-${wait.kind}`, "not in time")));
  }

  /** Checks that the envelope is meant for this daemon, and that its key was valid at the envelope's date. */
  #checkAddress(verified: VerifiedEnvelope): Refused | null {
    const { envelope, signer, message } = verified;
    const cluster = this.signers?.cluster ?? NO_KEY;
    // The cluster's id may have changed, because the keys may have been read again.
    const { decides } = this.recording;
    const isSame = cluster === this.#audience.cluster && decides === this.#audience.decides;
    if (!isSame) this.#audience = { ...this.#audience, cluster, decides };
    const wrong = checkEnvelope(envelope, message.body.length, signer?.role ?? null, this.#audience);
    if (signer !== null && signer === this.signers?.own) return wrong ?? checkOwnKey(verified);
    return wrong ?? (signer && checkValidity(signer, envelope.at));
  }

  /**
   * Returns the answer to an earlier copy of the envelope, or null if none is known, because the envelope is new or too
   * old.
   */
  #firstAnswer(verified: VerifiedEnvelope): Answered | null {
    const { id, envelope, isRecorded, now } = verified;
    this.seen.forget(now, now - this.#parts.window.past);
    const found = this.seen.find(id, envelope.at);
    if (found instanceof Promise && this.#isAbandoned(verified)) return null;
    if (found !== undefined)
      return found ?? unknown(notApplied(id, refused("answer-not-kept", "seen before")));
    return isRecorded ? this.recording.firstAnswer(verified) : null;
  }

  /** Whether the queries of an earlier copy have ended because its clients disconnected; forgets that copy if so. */
  #isAbandoned({ id, envelope: { at }, clients }: VerifiedEnvelope): boolean {
    const earlier = this.#clients.get(id);
    if (earlier === undefined || clients === undefined || earlier.join(clients)) return false;
    this.#clients.delete(id);
    this.seen.remove(id, at);
    return true;
  }

  /**
   * Applies a new envelope, and remembers its id from now on, even if it is refused: a refused envelope must not be
   * applied later.
   */
  #admit(verified: VerifiedEnvelope): Answered {
    const refusal =
      this.#checkDate(verified) ??
      this.#checkRate(verified) ??
      this.#checkMemory(verified) ??
      this.#makeRoom(verified);
    if (refusal !== null) return refusal;
    const { after } = verified.envelope;
    const isReady = after === null || this.#hasApplied(entryKeyOf(after));
    return this.#remember(verified, isReady ? this.#apply(verified) : this.#applyAfter(verified, after));
  }

  #checkDate(verified: VerifiedEnvelope): EnvelopeAnswer | null {
    const { observer, window } = this.#parts;
    const { envelope, now } = verified;
    const { at } = envelope;
    observer.skewed(at - now);
    const skewed = checkDate(at, now, window);
    if (skewed === null) return this.#checkFloor(verified);
    if (at >= now) return this.#refuse(verified, skewed);
    this.seen.floor = Math.max(this.seen.floor, at);
    return notApplied(verified.id, skewed);
  }

  #checkFloor({ id, envelope, isRecorded }: VerifiedEnvelope): EnvelopeAnswer | null {
    const { date, pending } = this.#parts.floor;
    if (pending !== null) {
      // Raise the floor, so that later attempts with the same envelope are refused too.
      this.seen.floor = Math.max(this.seen.floor, envelope.at);
      return notApplied(id, pending);
    }

    const floor = isRecorded ? this.seen.floor : Math.max(this.seen.floor, date);
    const early = floor - envelope.at;
    if (early < 0) return null;
    const code = this.recording.state === "catching-up" ? "catching-up" : "too-old";
    return notApplied(id, refused(code, `dated ${early} ms too early`));
  }

  #checkRate(verified: VerifiedEnvelope): EnvelopeAnswer | null {
    const { id, rate } = verified.signer ?? UNLIMITED;
    if (rate === 0 || this.#rates.take(id, rate, this.#parts.environment.uptime())) return null;
    return this.#refuse(verified, refused("over-rate", `${rate} a second`));
  }

  #checkMemory(verified: VerifiedEnvelope): EnvelopeAnswer | null {
    const refusal = this.#parts.memory.refusal(verified.envelope.commands);
    return refusal === null ? null : this.#refuse(verified, refusal);
  }

  /**
   * Makes room for the envelope's id. This is the last check, so that an envelope that is refused does not displace the
   * record of an accepted one.
   */
  #makeRoom(verified: VerifiedEnvelope): EnvelopeAnswer | null {
    const { seen } = this;
    const room = seen.makeRoom(verified.now);
    if (room === false) return unknown(notApplied(verified.id, refused("memory-full", `${seen.size} ids`)));
    if (room === true) return null;
    this.#parts.log.warn({ takesFrom: room + 1 }, FORGOTTEN_EARLY);
    return this.#checkFloor(verified);
  }

  /**
   * Refuses an envelope that would be accepted at another time. If its id can be remembered, the envelope is certainly
   * never applied. Otherwise its outcome is unknown, because it could be accepted if it arrived again.
   */
  #refuse({ id, envelope: { at, key } }: VerifiedEnvelope, refusal: Refused): EnvelopeAnswer {
    const answer = notApplied(id, refusal);
    if (!this.seen.addRefused(id, at, key, answer)) return unknown(answer);
    this.#waiters.applied(id);
    return answer;
  }

  #remember({ id, envelope: { at, seq }, clients }: VerifiedEnvelope, answer: Answered): Answered {
    this.seen.add(id, at, answer);
    if (!(answer instanceof Promise)) {
      this.#waiters.applied(id);
      return answer;
    }

    // Do not use `verified` in this callback, so that the commands need not stay in memory until they are on disk.
    if (clients !== undefined) this.#clients.set(id, clients);

    return answer.then((settled) => {
      // A copy of an abandoned envelope has replaced it.
      if (this.#clients.get(id) !== clients) return settled;
      this.#clients.delete(id);
      if (clients?.isGone) this.seen.remove(id, at);
      else this.seen.settle(id, at, settled);
      this.#waiters.applied(id);
      return settled.kind === "refused" ? this.#unknownIfHeld(settled, { at, seq }) : settled;
    });
  }

  async #applyAfter(verified: VerifiedEnvelope, after: ByteString): Promise<EnvelopeAnswer> {
    const hasArrived = await this.#arrives(after, verified);
    if (!hasArrived)
      return notApplied(verified.id, refused("not-yet", "the entry named in `after` did not arrive in time"));
    // Look up the signer again, because its key may have been revoked in the meantime.
    const signer = verified.signer === null ? null : this.signers?.ring.find(verified.signer.id);
    if (signer === undefined) return notApplied(verified.id, refused("unknown-key", "the key was removed"));
    const invalid = signer && checkValidity(signer, this.#parts.environment.clock());
    return invalid === null ? await this.#apply(verified) : notApplied(verified.id, invalid);
  }

  /** Waits until the entry that `after` names is applied. Returns false if it was not applied in time. */
  async #arrives(after: ByteString, { envelope, message }: VerifiedEnvelope): Promise<boolean> {
    const orderKey = entryKeyOf(after);
    if (this.#hasApplied(orderKey)) return true;
    if (!this.recording.mayArrive(orderKey, this.seen)) return false;
    return (
      (await this.#waiters.wait(orderKey.id, envelope.key, message.body.length)) && this.#hasApplied(orderKey)
    );
  }

  #hasApplied(orderKey: OrderKey): boolean {
    return this.recording.hasApplied(orderKey, this.seen);
  }

  #apply(verified: VerifiedEnvelope): Answered {
    // Check again, because the keys may have been read again while the envelope was waiting. Otherwise an unsigned
    // envelope could be applied.
    const refusal = checkSigned(verified.signer !== null, this, "envelope");
    if (refusal !== null) return notApplied(verified.id, refusal);
    return this.recording.apply(verified) ?? this.#applyUnrecorded(verified);
  }

  #applyUnrecorded(verified: VerifiedEnvelope): Answered {
    const { id, envelope, listener } = verified;
    const { recording } = this;
    const answer = this.#units.apply(verified, this.signers?.ring ?? null);
    // Messages are sent and subscriptions begin immediately, so a failure of the disk must not refuse them.
    if (listener !== null || messagesOf(envelope) !== null) return answer;
    return whenSafe(recording, answer, (reason) => notApplied(id, refused("storage-failed", reason)));
  }
}

/** Unsigned envelopes have no rate limit. */
const UNLIMITED = { id: NO_KEY, rate: 0 };

const FORGOTTEN_EARLY =
  "the limit --max-remembered is reached: from now on, envelopes dated before `takesFrom` are refused";

interface Bucket {
  tokens: number;
  /** The uptime in milliseconds when the bucket was last filled. */
  filledAt: number;
}

const MS_PER_SECOND = 1000;

/** The limit of envelopes per second of each signing key, with a token bucket that holds the tokens of one second. */
class Rates {
  readonly #buckets = new Map<ByteString, Bucket>();

  /**
   * Takes the token for one envelope from the key's bucket; returns whether there was one.
   * @param rate  envelopes per second
   * @param now   uptime in milliseconds, which never jumps
   */
  take(key: ByteString, rate: number, now: number): boolean {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, (bucket = { tokens: rate, filledAt: now }));
    const filled = bucket.tokens + ((now - bucket.filledAt) * rate) / MS_PER_SECOND;
    bucket.tokens = Math.min(Math.max(rate, 1), filled);
    bucket.filledAt = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
