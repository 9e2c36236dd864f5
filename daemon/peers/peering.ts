/**
 * The members: what is given to them, and what they give. No sockets, timers or files of its own: driven by its owner's
 * calls, by what the sockets tell, and by `tick` every 25 ms. Read roster.ts (who is connected), spreading.ts (one
 * entry), reconciling.ts (what was missed). Source: DESIGN.md "Members and stable points", "Catch-up".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf, signedBytes } from "../../protocol/envelope.js";
import type { DaemonState, Hello } from "../../protocol/messages-v2.js";
import type { Entry, Place } from "../../timeline/entry.js";
import { isRingEntry } from "../../timeline/recorded.js";
import { Gaps } from "./gaps.js";
import { Intake } from "./intake.js";
import { Joining } from "./joining.js";
import { Member } from "./member.js";
import { MemberClocks } from "./member-clocks.js";
import type { MemberShared } from "./member-shared.js";
import type { MemberSocket, MemberSocketOwner, PeerAddress } from "./member-socket.js";
import { Notices } from "./notices.js";
import { Packer } from "./packing.js";
import type { MemberStatus, PeeringParts } from "./peering-parts.js";
import { Roster } from "./roster.js";
import { Slices } from "./slices.js";
import { Spreading } from "./spreading.js";
import { type Reporter, StablePoint } from "./stable-point.js";

/** Between two looks at what is not urgent: who may be a member, quarantine, the own clock. */
const LOOK_EVERY_MS = 1000;

export class Peering {
  #state: DaemonState = "catching-up";
  readonly #parts: PeeringParts;
  readonly #notices: Notices;
  readonly #roster: Roster;
  readonly #slices: Slices;
  readonly #spreading: Spreading;
  readonly #intake: Intake;
  readonly #clocks: MemberClocks;
  readonly #stable: StablePoint;
  readonly #gaps: Gaps;
  readonly #joining: Joining;
  #isRunning = false;
  /** Until what members had at the start is here, or nobody can be reached. */
  #isCatchingUp = true;
  /** Whether the log says that catching up is over. */
  #toldOfEnd = false;
  /** When it began, or a member last gave something new; `uptime` milliseconds. */
  #progressAt = 0;
  #tickedAt = 0;
  #nextLookAt = 0;
  #ringChanged = false;
  /** What was last told of the own clock. */
  #wasSkewed = false;
  /** Daemons, this one included, as of the last tick. */
  #size: number;

  constructor(parts: PeeringParts) {
    const { log, uptime, soon, limits, timeline } = parts;
    this.#parts = parts;
    this.#notices = new Notices(log, uptime);
    this.#slices = new Slices({ uptime, soon, sliceMs: limits.sliceMs });
    this.#spreading = new Spreading(parts, () => this.#roster.members.values());
    this.#intake = new Intake({ peering: parts, slices: this.#slices, traces: this.#spreading.traces });
    this.#clocks = new MemberClocks(limits);
    this.#stable = new StablePoint(timeline, limits);
    this.#gaps = new Gaps(parts);
    this.#joining = new Joining(timeline);
    const shared = this.#makeShared();
    this.#roster = new Roster({
      ...{ peering: parts, notices: this.#notices },
      state: () => this.state,
      joined: (connection, bit) => {
        this.#stable.discard();
        return new Member(shared, connection, bit);
      },
      left: (member) => {
        this.#stable.discard();
        this.#gaps.left(member.id);
        member.stop();
        this.#spreading.disconnected(member);
      },
      forgotten: (bit) => this.#spreading.forget(bit),
    });
    this.#size = 1 + parts.peers.length;
  }

  start(): void {
    this.#isRunning = true;
    this.#tickedAt = this.#progressAt = this.#parts.uptime();
    this.#isCatchingUp = this.#roster.hasOthers;
    this.#toldOfEnd = !this.#isCatchingUp;
    this.#joining.start(this.#isCatchingUp);
    this.#roster.start();
    this.tick();
  }

  stop(): void {
    this.#isRunning = false;
    this.#slices.clear();
    this.#roster.stop();
  }

  /** Every 25 ms. */
  tick(): void {
    if (!this.#isRunning) return;
    const { uptime, limits } = this.#parts;
    const now = uptime();
    if (now - this.#tickedAt > limits.sleptMs) this.#roster.slept(now);
    this.#tickedAt = now;
    this.#roster.tick(now);
    this.#spreading.tick(now);
    for (const member of [...this.#roster.members.values()]) member.tick(now);
    this.#considerState(now);
    this.watchClock();
    this.#stable.tick(now, () => this.#reporters());
    if (this.#ringChanged || now >= this.#nextLookAt) this.#look(now);
  }

  /**
   * Tells the timeline whether it may go by the own clock: also right before each of the timeline's ticks, as a clock may
   * jump at any time, and the watermark never goes back. Not before the members' clocks are known.
   */
  watchClock(): void {
    const { timeline, clock, uptime } = this.#parts;
    const { isSkewed } = this;
    if (isSkewed !== this.#wasSkewed)
      this.#tellSkew(isSkewed, this.#clocks.median(clock(), uptime(), this.#size));
    this.#wasSkewed = isSkewed;
    timeline.isSkewed = isSkewed || this.#isCatchingUp;
  }

  /** Other addresses; connections opened to those that are left out are closed. */
  setPeers(addresses: readonly PeerAddress[]): void {
    this.#stable.discard();
    this.#roster.setPeers(addresses);
    this.#gaps.keep((id) => this.#roster.has(id));
  }

  /**
   * A connection that came in.
   * @param hello  its first frame, of role `daemon`; nothing must have come behind it
   */
  accept(socket: MemberSocket, hello: Hello): MemberSocketOwner {
    return this.#roster.accept(socket, hello);
  }

  /** Entries are on disk. @param from  the member that gave them; null: first-hand */
  flushed(entries: readonly Entry[], from: ByteString | null): void {
    const giver = from === null ? null : (this.#roster.members.get(from) ?? null);
    this.#spreading.flushed(entries, giver, from === null);
    if (from !== null) this.#intake.flushed(entries);
    if (this.#intake.quarantine.size > 0 && entries.some(({ envelope }) => isRingEntry(envelope))) {
      this.#ringChanged = true;
    }
  }

  /** An entry that the daemon itself has signed: its body is given to all as soon as it is on disk. */
  giveAtOnce(entry: Entry): void {
    this.#spreading.giveAtOnce(entry);
  }

  /** When `count` daemons, this one included, have it on disk. The caller bounds the time. */
  replicated(place: Place, count: number): Promise<void> {
    return this.#spreading.replicated(place, count);
  }

  /** Other daemons that are known to have it on disk: all, if it is final. */
  copies(place: Place): number {
    return place.at < this.stablePoint ? this.#roster.members.size : this.#spreading.copies(place);
  }

  /** When everything dated at or before `at` is final. The caller bounds the time. */
  stable(at: number): Promise<void> {
    return this.#stable.wait(at, this.#parts.uptime());
  }

  get state(): DaemonState {
    return this.#state;
  }

  /** Whether it began with nothing, and has yet to hear from which date on it may take anything. */
  get isJoining(): boolean {
    return this.#joining.isUnderWay;
  }

  /** Everything dated before it is final; 0: not known of anything. */
  get stablePoint(): number {
    return this.#stable.value;
  }

  /** Whether the own clock is off the members' median: then nothing is taken first-hand. Computed anew each time. */
  get isSkewed(): boolean {
    const { clock, uptime } = this.#parts;
    return this.#clocks.isSkewed(clock(), uptime(), this.#size);
  }

  /** Envelopes kept back for their unknown signer, and how many were dropped. */
  get quarantine(): { readonly size: number; readonly dropped: number } {
    const { size, dropped } = this.#intake.quarantine;
    return { size, dropped };
  }

  /** Addresses of --peer first, then members that connected from elsewhere. */
  get members(): readonly MemberStatus[] {
    return this.#roster.statuses;
  }

  #makeShared(): MemberShared<Member> {
    return {
      ...{ peering: this.#parts, slices: this.#slices, spreading: this.#spreading },
      ...{ intake: this.#intake, clocks: this.#clocks, gaps: this.#gaps },
      packer: new Packer(this.#parts.limits),
      state: () => this.state,
      isSkewed: () => this.isSkewed,
      reported: ({ id }, report) => {
        this.#stable.reported(id, report);
        this.#gaps.reported(id, report);
      },
      progressed: () => {
        this.#progressAt = this.#parts.uptime();
      },
      tooLong: (body) => this.#tooLong(body),
      refused: (member, reason) => this.#refused(member, reason),
      drop: (member, code, detail) => this.#roster.drop(member, code, detail),
    };
  }

  #tooLong(body: Buffer): void {
    const id = this.#parts.hash(signedBytes(body));
    this.#notices.warn(`long entry ${id}`, { id: hexOf(id), bytes: body.length }, TOO_LONG);
  }

  #refused(member: Member, reason: string): void {
    const facts = { member: hexOf(member.id), address: member.connection.remote, reason };
    this.#notices.warn(`entry of ${member.id}`, facts, "an entry that a member gave was refused");
    const { refusals } = member;
    if (refusals < this.#parts.limits.maxRefusals || member.connection.isClosed) return;
    this.#roster.ban(member, `${refusals} entries were refused, the last: ${reason}`);
  }

  #considerState(now: number): void {
    const { size, heard } = this.#roster.count(now - this.#parts.limits.silenceMs);
    this.#size = size;
    const isMajority = 2 * heard > size;
    if (isMajority && this.#state === "isolated") {
      // The others went on without it.
      this.#isCatchingUp = true;
      this.#toldOfEnd = false;
      this.#progressAt = now;
    }
    if (this.#isCatchingUp) this.#considerCatchUp(now);
    this.#gaps.tick(now);
    const isLacking = this.#gaps.isLacking(now, this.#state === "catching-up");
    this.#toldOfEnd &&= !isLacking;
    if (this.#isCatchingUp || isLacking) this.#state = "catching-up";
    else {
      this.#state = isMajority ? "live" : "isolated";
      if (!this.#toldOfEnd) this.#notices.info({}, "caught up with the members");
      this.#toldOfEnd = true;
    }
  }

  /**
   * It is over once one member that is live has been compared with; or all there are, none of which is live; or all that
   * have come, and the others have had their time. Who reaches nobody serves with what it has.
   */
  #considerCatchUp(now: number): void {
    const { catchUpMs, catchUpStuckMs } = this.#parts.limits;
    const members = [...this.#roster.members.values()];
    const isAlone = members.length === 0;
    const isCompared = members.every(({ compared }) => compared !== null);
    const isLate = now - this.#progressAt > (isCompared ? catchUpMs : catchUpStuckMs);
    const isWhole = isAlone ? !this.#roster.hasOthers : isCompared && (isLate || this.#roster.all !== null);
    const isDone = isWhole || members.some(({ compared }) => compared === "live");
    if (isDone || isLate) this.#joining.caughtUp(members.flatMap(({ status }) => status ?? []));
    if (isDone) this.#isCatchingUp = false;
    else if (isLate) {
      this.#isCatchingUp = false;
      this.#toldOfEnd = true;
      this.#parts.log.warn({}, isAlone ? ALONE : STUCK);
    }
  }

  #reporters(): readonly Reporter[] | null {
    const members = this.#roster.all;
    if (members === null) return null;
    return members.map(({ id, status, connection }) => ({
      id,
      watermark: status?.watermark ?? null,
      ask: (at) => connection.send({ kind: "report-request", at }),
    }));
  }

  #look(now: number): void {
    this.#nextLookAt = now + LOOK_EVERY_MS;
    this.#roster.recheck();
    this.#ringChanged = false;
    if (this.#intake.quarantine.size > 0) {
      this.#intake.retry((id) => this.#roster.members.get(id) ?? null);
    }
    const { timeline, clock, limits } = this.#parts;
    const median = this.#clocks.median(clock(), now, this.#size);
    if (!this.isSkewed || median === null) return;
    // It takes nothing itself, and must not hold back what is final for all.
    let lowest = median - limits.past;
    for (const { status } of this.#roster.members.values()) {
      if (status !== null && !status.skewed) lowest = Math.min(lowest, status.watermark);
    }
    timeline.raise(Math.floor(lowest));
  }

  #tellSkew(isSkewed: boolean, median: number | null): void {
    const { log, clock } = this.#parts;
    if (!isSkewed) log.info({}, "this machine's clock is right again");
    else log.warn(median === null ? {} : { aheadMs: Math.round(clock() - median) }, SKEWED);
  }
}

const ALONE = "no member could be reached: serving with what is here";
const STUCK = "catching up came to no end: serving with what is here";
const TOO_LONG = "an entry is longer than members take: it stays on this daemon alone";
const SKEWED = "this machine's clock is off the members': nothing is taken from clients until it is right";
