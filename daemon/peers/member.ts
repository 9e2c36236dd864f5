/** A member that is connected and has proved who it is: what it says goes to the part that it concerns. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { PushMessage, StatusMessage, Totals } from "../../protocol/member-messages.js";
import type { DaemonState } from "../../protocol/messages-v2.js";
import { isSameDigest } from "../../timeline/digest-index.js";
import { type Entry, type Place, placeOf } from "../../timeline/entry.js";
import type { FarewellCode } from "./handshake.js";
import type { IncomingBatch } from "./incoming-batch.js";
import type { Giver, Intake } from "./intake.js";
import type { MemberClocks } from "./member-clocks.js";
import type { ExchangeMessage, MemberConnection } from "./member-connection.js";
import { Outbox } from "./outbox.js";
import type { MemberStatus, PeeringParts } from "./peering-parts.js";
import { Reconciling } from "./reconciling.js";
import { RoundTrips } from "./round-trips.js";
import type { Slices, Work } from "./slices.js";
import { parts, type Spreading } from "./spreading.js";

/** What all members share. */
export interface MemberShared {
  readonly peering: PeeringParts;
  readonly slices: Slices;
  readonly spreading: Spreading;
  readonly intake: Intake;
  readonly clocks: MemberClocks;
  /** Of this daemon. */
  readonly state: () => DaemonState;
  readonly isSkewed: () => boolean;
  readonly reported: (member: Member, report: ExchangeMessage & { kind: "report" }) => void;
  /** A reconciliation with it is through. */
  readonly caughtUp: () => void;
  /** A member gave something new. */
  readonly progressed: () => void;
  /** An entry of it was refused. */
  readonly refused: (member: Member, reason: string) => void;
  /** To be closed, and to be said in the log. */
  readonly drop: (member: Member, code: FarewellCode, detail: string) => void;
}

/** A push that has come, or a step that is to run behind those before it. */
interface Received extends IncomingBatch {
  readonly number: number;
  readonly bytes: number;
  message: PushMessage | null;
  readonly then: (() => void) | null;
}

export class Member implements Giver {
  readonly connection: MemberConnection;
  readonly id: ByteString;
  /** Which bit stands for it. */
  readonly bit: number;
  readonly outbox: Outbox;
  /** Places that are on the own disk, which it has to be told. */
  owed: Place[] = [];
  /** Its last; null: none yet. */
  status: StatusMessage | null = null;
  refusals = 0;
  /** By the own clock. */
  readonly connectedSince: number;
  /** The same by `uptime`. */
  readonly since: number;
  readonly #shared: MemberShared;
  readonly #reconciling: Reconciling;
  readonly #trips: RoundTrips;
  #nextStatusAt = 0;
  /** New entries it has given. */
  #entries = 0;
  #received: Received[] = [];
  #receivedBytes = 0;
  #number = 0;
  #acked = 0;
  #toldAcked = 0;
  #isReading = false;

  constructor(shared: MemberShared, connection: MemberConnection, bit: number) {
    const { peering, slices, spreading } = shared;
    this.#shared = shared;
    this.connection = connection;
    this.id = connection.id;
    this.bit = bit;
    this.connectedSince = peering.clock();
    this.since = peering.uptime();
    this.#trips = new RoundTrips(peering.uptime);
    this.outbox = new Outbox({ peering, connection, traces: spreading.traces, bit });
    this.#reconciling = new Reconciling({
      ...{ peering, slices, outbox: this.outbox },
      isOpener: connection.side === "opener",
      send: (message) => connection.send(message),
      malformed: (detail) => this.malformed(detail),
      afterReceived: (step) => this.#queue(null, step),
      received: () => this.#entries,
      caughtUp: () => shared.caughtUp(),
      done: () => this.#sendStatus(peering.uptime()),
    });
  }

  /** The first words: they allow the other side to send more than statuses. */
  start(): void {
    this.#sendStatus(this.#shared.peering.uptime());
  }

  receive(message: ExchangeMessage): void {
    const { spreading, peering } = this.#shared;
    if ("places" in message && message.places.length > peering.limits.maxPlaces) {
      this.malformed(`${message.places.length} places in one message`);
      return;
    }
    switch (message.kind) {
      case "status":
        this.#heardStatus(message);
        break;
      case "offer":
        spreading.offered(message.places, this);
        break;
      case "want":
        this.outbox.pushWanted(message.places);
        break;
      case "push":
        this.#push(message);
        break;
      case "have":
        if (!this.outbox.acked(message.number)) this.malformed(`push ${message.number} was never sent`);
        spreading.had(message.places, this);
        break;
      case "reconcile":
        this.#reconciling.step(message.session, message.step);
        break;
      case "given":
        this.#reconciling.given(message.session);
        break;
      case "report-request":
        this.#report(message.at);
        break;
      default:
        this.#shared.reported(this, message);
    }
  }

  tick(now: number): void {
    if (now >= this.#nextStatusAt) this.#sendStatus(now);
    this.outbox.tick();
    this.#reconciling.tick(now, this.status);
  }

  /** Says which pushes are dealt with, and what is on disk. */
  tell(): void {
    if (this.owed.length === 0 && this.#acked === this.#toldAcked) return;
    const places = this.owed;
    this.owed = [];
    this.#toldAcked = this.#acked;
    const { maxPlaces } = this.#shared.peering.limits;
    if (places.length === 0) this.connection.send({ kind: "have", number: this.#acked, places });
    for (const part of parts(places, maxPlaces)) {
      this.connection.send({ kind: "have", number: this.#acked, places: part });
    }
  }

  /** Whether it holds what this daemon holds, as of its last status. */
  get isEqual(): boolean | null {
    if (this.status === null) return null;
    const { index } = this.#shared.peering.timeline;
    return (
      isSameDigest(index.total("ring"), this.status.ring) &&
      isSameDigest(index.total("data"), this.status.data)
    );
  }

  describe(address: string): MemberStatus {
    const { peering, clocks, spreading } = this.#shared;
    const { status } = this;
    const now = peering.uptime();
    return {
      address,
      id: this.id,
      connection: "connected",
      trouble: null,
      state: status?.state ?? null,
      skewed: status?.skewed ?? false,
      connectedSince: this.connectedSince,
      roundTrip: this.#trips.last,
      skew: clocks.skewOf(this.id, peering.clock(), now),
      watermark: status?.watermark ?? null,
      entries: status === null ? null : status.ring.count + status.data.count,
      isEqual: this.isEqual,
      lag: spreading.wants.countOf(this.bit),
      behind: this.outbox.behind,
      lastHeard: now - this.connection.heardAt,
      refusals: this.refusals,
    };
  }

  gave(entries: number): void {
    this.#entries += entries;
    if (entries > 0) this.#shared.progressed();
  }

  owe(entry: Entry): void {
    this.#shared.spreading.owe(placeOf(entry), this);
  }

  refused(reason: string): void {
    this.refusals++;
    this.#shared.refused(this, reason);
  }

  unknown(): void {
    this.#reconciling.compareRing();
  }

  malformed(detail: string): void {
    this.#shared.drop(this, "malformed", detail);
  }

  #push(message: PushMessage): void {
    const { windowBytes, maxEnvelopeBytes, batchBytes } = this.#shared.peering.limits;
    if (message.number !== this.#number + 1) {
      this.malformed(`push ${message.number} behind ${this.#number}`);
      return;
    }
    this.#number = message.number;
    this.#receivedBytes += message.bytes;
    // A window, and what may exceed it: a batch, or an entry that is longer than one.
    if (this.#receivedBytes > windowBytes + batchBytes + maxEnvelopeBytes) {
      this.malformed("it pushes more than was taken");
      return;
    }
    this.#queue(message, null);
  }

  #queue(message: PushMessage | null, then: (() => void) | null): void {
    this.#received.push({
      ...{ number: message?.number ?? 0, bytes: message?.bytes ?? 0, message, then, pending: 0 },
      isRead: message === null,
      changed: () => this.#advance(),
    });
    if (message === null) this.#advance();
    else if (!this.#isReading) {
      this.#isReading = true;
      this.#shared.slices.add(this.#read());
    }
  }

  /** One push after the other. */
  *#read(): Work {
    for (;;) {
      const next = this.connection.isClosed
        ? undefined
        : this.#received.find(({ message }) => message !== null);
      if (next === undefined) break;
      const message = next.message as PushMessage;
      next.message = null;
      yield* this.#shared.intake.push(message, this, next);
    }
    this.#isReading = false;
  }

  /** Those at the front that are dealt with. */
  #advance(): void {
    for (let [first] = this.#received; first !== undefined; [first] = this.#received) {
      if (!first.isRead || first.pending > 0) return;
      this.#received.shift();
      this.#receivedBytes -= first.bytes;
      first.then?.();
      if (first.number > 0) {
        this.#acked = first.number;
        this.#shared.spreading.tellSoon();
      }
    }
  }

  #heardStatus(status: StatusMessage): void {
    const { peering, clocks } = this.#shared;
    const now = peering.uptime();
    const before = this.status;
    this.status = status;
    this.#trips.heard(status);
    clocks.note(this.id, status.clock + (this.#trips.last ?? 0) / 2, now);
    this.#reconciling.heard(status);
    // At once on connecting.
    if (before === null) this.#reconciling.tick(now, status);
  }

  #sendStatus(now: number): void {
    const { peering, state, isSkewed } = this.#shared;
    this.#nextStatusAt = now + peering.limits.statusEveryMs;
    this.connection.send({
      kind: "status",
      ...this.#trips.next(),
      clock: peering.clock(),
      watermark: peering.timeline.published,
      state: state(),
      skewed: isSkewed(),
      ...this.#totals(),
    });
  }

  #totals(): Totals {
    const { index } = this.#shared.peering.timeline;
    return { ring: index.total("ring"), data: index.total("data") };
  }

  /** In one step: what is held and promised at one moment. */
  #report(at: number): void {
    const { timeline } = this.#shared.peering;
    const [ring, data] = [timeline.index.digestUpTo(at, "ring"), timeline.index.digestUpTo(at, "data")];
    this.connection.send({ kind: "report", at, watermark: timeline.published, ring, data });
  }
}
