/**
 * Creates envelopes that the daemon signs with its own key, which has to be authorized first. An envelope is dated
 * after everything that the daemon has applied or signed before; one on which the members decide, not before the
 * earlier writes of its senders.
 */

import { signEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DaemonCondition } from "../../../protocol/daemon-states.js";
import {
  bodyOf,
  type Choices,
  type Condition,
  dateAfter,
  type Envelope,
  envelopeOf,
  isLaterDate,
  NO_CHOICES,
  NONCE_BYTES,
} from "../../../protocol/version-2/envelope.js";
import { writeSigned } from "../../../protocol/version-2/envelope-body.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { type Refused, refused } from "../../engine/answers/request.js";
import type { LastWrite } from "../../engine/backends/command-path.js";
import { hashOf, type Identity } from "../../engine/trust/identity.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Entry } from "../../timeline/entries/entry.js";
import { PROPOSED_AHEAD_MS } from "../peers/shared/peering-limits.js";
import type { EntryRecorder } from "./entry-recorder.js";
import type { ReplicaContext } from "./replica-context.js";

type Argv = readonly ByteString[];

/** The header of an envelope, without its date and its signer. */
export interface OwnHeader {
  readonly db: number;
  /** The user's name in the audit log, or null if no user was authenticated. */
  readonly as: ByteString | null;
  readonly multi: boolean;
  readonly units?: Envelope["units"];
  readonly conditions: readonly Condition[] | null;
  /** Whether the envelope takes effect only by a decision of the members of a list. */
  readonly decide?: boolean;
}

const REVOKED =
  "Its key was revoked: start it with a new data folder, or stop it and remove it from the lists.";

export class OwnEnvelopes {
  readonly #recorder: EntryRecorder;
  readonly #context: ReplicaContext;
  #last: EnvelopeDate = { at: 0, seq: 0 };

  constructor(recorder: EntryRecorder, context: ReplicaContext) {
    this.#recorder = recorder;
    this.#context = context;
  }

  /**
   * Authorizes the daemon's own key, if that is necessary and the daemon may do so. Returns why the daemon cannot sign,
   * or null if it can.
   */
  refusal(): Refused | null {
    return this.#checkClock() ?? this.#enter();
  }

  /** The state of the daemon for clients that do not sign, or null if nothing prevents it from signing for them. */
  get condition(): DaemonCondition | null {
    const obstacle = this.#checkClock() ?? this.#checkKey();
    if (obstacle === null) return null;
    return { state: obstacle.code === "clock-off" ? "clock-off" : "unauthorized", reason: obstacle.detail };
  }

  /**
   * The command with which an administrator has to authorize the daemon's key. Null if the key is already authorized,
   * or if the daemon may authorize it.
   */
  get introduction(): Argv | null {
    const { identity } = this.#context;
    return isUnauthorized(this.#recorder.ring, identity) ? introductionOf(identity) : null;
  }

  /**
   * @param date    the date of the envelope, which defaults to `nextDate`
   * @param chosen  what the commands have chosen
   */
  sign(
    { db, as, multi, units = null, conditions, decide = false }: OwnHeader,
    commands: readonly Argv[],
    date = this.nextDate,
    { choices, expiries }: Choices = NO_CHOICES,
  ): Entry {
    const { identity, signers, environment } = this.#context;
    const { cluster } = signers;

    const nonce = environment.randomBytes(NONCE_BYTES);
    if (isLaterDate(date, this.#last)) this.#last = date;
    const { id: key } = identity;
    const { at, seq } = date;

    // Each field is named: V8 takes microseconds for a spread that other fields follow.
    const header = {
      key,
      cluster,
      nonce,
      db,
      as,
      multi,
      units,
      if: conditions,
      at,
      seq,
      choices,
      expiries,
      decide,
    };

    const signed = writeSigned(header, commands);
    const signature = signEnvelope(signed, identity.key);
    // Do not parse the bytes that were just written: that would cost as much as applying them.
    return { id: hashOf(signed), body: bodyOf(signed), signature, envelope: envelopeOf(header, commands) };
  }

  /** The next date: later than everything that was applied here or signed before. */
  get nextDate(): EnvelopeDate {
    const { newest, floor } = this.#recorder;
    const last = this.#last;
    const latest = isLaterDate(newest, last) ? newest : last;
    const first = Math.max(this.#context.environment.clock(), floor + 1);
    return first > latest.at ? { at: first, seq: 0 } : dateAfter(latest);
  }

  /**
   * Returns the date of an envelope on which the members decide. They place it after this date, so that it follows the
   * earlier writes of its senders, also if this machine's clock is ahead of theirs.
   * @param followed  the dates that `followedBy` has returned for its senders
   */
  decidedDate(followed: readonly number[]): EnvelopeDate {
    const { identity } = this.#context;
    const { ring, commonClock } = this.#recorder;
    // The daemon's key must be authorized before the decision.
    const addedAt = ring.find(identity.id)?.addedAt ?? 0;
    const first = Math.max(commonClock - 1, addedAt);
    return { at: followed.reduce((latest, date) => Math.max(latest, date), first), seq: 0 };
  }

  /** Whether a date of `followedBy` is too far ahead for an immediate decision after it. */
  isAhead(followed: number): boolean {
    return followed >= this.#recorder.commonClock + PROPOSED_AHEAD_MS;
  }

  /**
   * Returns the date after which the members place the next envelope of a sender. A new connection may belong to a
   * program that has written through another one, so it follows what the daemon has signed, except what a client's
   * entries have moved ahead of the daemon's clock.
   */
  followedBy({ orderKey }: LastWrite): number {
    return orderKey?.at ?? Math.min(this.#last.at, this.#context.environment.clock());
  }

  /** Authorizes the daemon's key if necessary. @returns why that is impossible, or null if the key is authorized */
  #enter(): Refused | null {
    const { identity, log } = this.#context;
    const recorder = this.#recorder;
    const known = recorder.ring.find(identity.id);
    if (known?.revokedAt === null) return null;
    const command = introductionOf(identity);
    const obstacle = (known === undefined ? recorder.refusal() : null) ?? this.#checkKey();
    if (obstacle !== null) return obstacle;

    const entry = this.sign({ db: 0, as: null, multi: false, conditions: null }, [command]);
    const recorded = recorder.record(entry);
    if ("kind" in recorded) return recorded;

    recorder.sendToPeers(entry);
    recorded.flushed?.catch((problem: Error) =>
      log.warn({ reason: problem.message }, "the daemon's key is not authorized"),
    );
    return null;
  }

  /** Returns why the daemon's key cannot sign, and the daemon cannot authorize it either. Otherwise null. */
  #checkKey(): Refused | null {
    const { identity } = this.#context;
    const { ring } = this.#recorder;
    const known = ring.find(identity.id);
    if (known !== undefined) return known.revokedAt === null ? null : refused("not-let-in", REVOKED);
    if (mayEnter(ring, identity)) return null;
    const command = introductionOf(identity).join(" ");
    return refused("not-let-in", `As administrator run: dbsync send -k root-private.pem ${command}`);
  }

  /**
   * Returns why the next date cannot be used, or null if it can. It must not be further ahead of the clock than the
   * date of a client's envelope may be.
   */
  #checkClock(): Refused | null {
    const { environment, settings } = this.#context;
    const ahead = this.nextDate.at - environment.clock();
    return ahead > settings.window.future
      ? refused("clock-off", `its date would be ${ahead} ms ahead of the clock`)
      : null;
  }
}

/** Returns the command that authorizes a daemon's key. */
export function introductionOf({ spki }: Identity): Argv {
  return ["CLUSTER", "ADD", Buffer.from(spki, "latin1").toString("base64")];
}

/** Whether an administrator has to authorize a daemon's key before the daemon can sign. */
export function isUnauthorized(ring: KeyRing, identity: Identity): boolean {
  return ring.find(identity.id) === undefined && !mayEnter(ring, identity);
}

/** Whether a daemon may authorize its own key, because the cluster has no administrators. */
function mayEnter(ring: KeyRing, identity: Identity): boolean {
  return ring.introduction([introductionOf(identity)], identity.id, 0) !== null;
}
