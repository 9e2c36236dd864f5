/** A daemon of the model: what it accepts, stores, sends and calls final, by the given rules. */

import type { JoinReport } from "../../../daemon/timeline/members/rules.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { KnownList, MembershipState } from "../../../protocol/members/member-list.js";
import { Clock } from "./clock.js";
import { Disk } from "./disk.js";
import { bitsOf } from "./envelopes.js";
import { AHEAD_MS } from "./ledger.js";
import { idOf, numberOf } from "./lists.js";
import type { Body, Message, Status } from "./network.js";
import { LIMITS, PULL_EVERY, STATUS_EVERY } from "./settings.js";
import { StableWatch } from "./stable-watch.js";
import type { DaemonView, Surroundings } from "./surroundings.js";

/** One of this many statuses is sent to removed daemons, which would otherwise never learn of their removal. */
const STATUSES_TO_LEFT = 4;

/** An envelope that was checked and waits to be inserted. */
interface CheckedEnvelope {
  readonly bit: number;
  readonly dueAt: number;
}

export class Daemon implements DaemonView {
  readonly number: number;
  readonly id: ByteString;
  readonly hasData: boolean;
  readonly disk = new Disk();
  readonly clock: Clock;
  isUp = true;
  isWiped = false;
  /** Envelopes in memory. */
  held = 0;
  firstHand = 0;
  lists = 0;
  watermark = 0;
  isLive = false;
  /** Whether its watermark ran ahead because all its sources were ahead. */
  isExcused = false;
  readonly stable: StableWatch;
  /** The last status of each daemon. */
  lastStatuses: (Status | undefined)[] = [];
  readonly around: Surroundings;
  /** Envelopes that other members have confirmed to be on their disks. */
  #confirmed: number[] = [];
  /** Envelopes that were in memory, but not on disk, when a list arrived. */
  #past = 0;
  /** For each member, the envelopes that the daemon pulled from it, and the list that was in force. */
  #pulled: ({ readonly under: ByteString; readonly all: number } | undefined)[] = [];
  #pushed = 0;
  #checked: CheckedEnvelope[] = [];
  #statuses = 0;
  /** The envelopes on disk at the last report. */
  #reportedBefore = 0;

  constructor(number: number, around: Surroundings, hasData: boolean) {
    this.number = number;
    this.id = idOf(number);
    this.around = around;
    this.hasData = hasData;
    this.clock = new Clock(this, around);
    this.stable = new StableWatch(this);
  }

  get membership(): MembershipState {
    return this.around.lists.membership(this.lists);
  }

  get published(): number {
    return this.around.rules.publishesFromDisk ? this.disk.durable.watermark : this.watermark;
  }

  /** Starts from the content of the disk. */
  start(): void {
    const { durable } = this.disk;
    this.isUp = true;
    this.held = durable.held;
    this.firstHand = durable.firstHand;
    this.#pushed = durable.held;
    this.lists = this.around.lists.closed(durable.lists);
    this.watermark = durable.watermark;
    this.isLive = durable.isLive === 1;
    this.lastStatuses = [];
    this.#confirmed = [];
    this.#past = 0;
    this.#pulled = [];
    this.#checked = [];
    this.clock.start();
    this.stable.start();
  }

  crash(): void {
    const { random, settings, rules } = this.around;
    if (!this.isUp) return;
    this.isUp = false;
    if (this.hasData) this.disk.crash(random, settings.losesAny);
    else {
      const { lists } = this.disk.durable;
      this.disk.wipe();
      // If members need no data, a daemon without data starts again as a live member, with this watermark.
      const watermark = this.clock.now + LIMITS.future;
      if (!rules.needsData) Object.assign(this.disk.durable, { lists, isLive: 1, watermark });
      this.stable.publishedPoint = 0;
    }
  }

  learn(lists: number): void {
    if ((lists & ~this.lists) === 0) return;
    this.lists |= lists;
    this.#past |= this.held & ~this.disk.durable.held;
    this.disk.writeLists(lists);
  }

  /** Accepts a client's envelope. */
  write(bit: number): void {
    const { rules, envelopes, ledger, time } = this.around;
    const { membership, id: own, isLive } = this;
    const hasData = this.hasData || !rules.needsData;
    if (rules.listRefusal({ membership, own, hasData }) !== null) return;
    if (rules.refusesWhileJoining && !isLive) return;
    if (rules.refusesIfSkewed && this.clock.isSkewed) return;

    const at = envelopes.dateOf(bit);
    const isKnown = (this.held & bit) !== 0;
    const { watermark } = this;
    const arrival = rules.arrivalOf(at, isKnown, true, { stablePoint: this.stable.value, watermark });

    if (isKnown && arrival !== "known")
      ledger.problem(this.number, `does not recognize an entry that it holds: ${arrival}`);
    if (arrival !== "accept" || at > this.clock.now + LIMITS.future) return;
    if (this.clock.isSure && at > time() + LIMITS.future + LIMITS.skewMs + AHEAD_MS)
      ledger.problem(this.number, "accepts an entry dated far ahead, although it knows other clocks");

    if (membership.removed.has(own))
      ledger.problem(this.number, "accepts writes from a client though it knows that it was evicted");
    if (rules.checksWhenInserting) this.#insert(bit);
    else this.#checked.push({ bit, dueAt: time() + 3 * 1000 });
  }

  receive({ from, lists, body, sentAt }: Message): void {
    this.learn(lists);
    if (body.kind === "status") this.#status(from, body, sentAt);
    else if (body.kind === "push") this.#accept(from, body.envelopes);
    else if (body.kind === "pull") this.#sendEntries(from, body);
    else this.#receiveEntries(from, body);
  }

  /** Acts once per tick. */
  act(tick: number): void {
    const { random, settings, time } = this.around;
    const syncsFirst = random.chance(0.5);
    const syncs = random.chance(settings.sync);
    if (random.chance(settings.syncLists)) this.disk.syncLists();
    if (syncs && syncsFirst) this.#sync();
    for (const { bit, dueAt } of this.#checked) if (dueAt <= time()) this.#insert(bit);
    if (this.#checked.length > 0) this.#checked = this.#checked.filter(({ dueAt }) => dueAt > time());
    this.clock.tick();
    this.#publish();
    this.stable.tick();
    if (!this.isLive) this.#join();
    if ((tick + this.number) % STATUS_EVERY === 0) this.#sendStatus();
    if ((tick + this.number) % PULL_EVERY === 0) this.#pull();
    if (syncs && !syncsFirst) this.#sync();
  }

  /** Returns the list that the daemon's messages name, and whether its statuses count as reports under that list. */
  reporting(): { readonly under: KnownList | null; readonly isReport: boolean } {
    const { rules, lists } = this.around;
    const { membership, id: own, isLive } = this;
    const head = membership.inForce ?? membership.heads[0];
    if (head === undefined) return { under: null, isReport: false };
    const { durable } = this.disk;
    const isListOnDisk = (durable.lists & lists.bitOf(head.hash)) !== 0;
    const isPastOnDisk = (this.#past & ~durable.held) === 0;
    const all = { membership, own, isLive, isListOnDisk, isPastOnDisk };
    const namesList = rules.mayReport({ ...all, isLive: true, isPastOnDisk: true });
    return { under: namesList ? head : null, isReport: rules.mayReport(all) };
  }

  /** The envelopes that the daemon's reports claim to include. */
  get reported(): number {
    return this.around.rules.reportsFromDisk ? this.disk.durable.held : this.held;
  }

  /** Returns the other members of a list. */
  othersOf({ list }: KnownList): readonly ByteString[] {
    return list.members.filter((id) => id !== this.id);
  }

  #sync(): void {
    const { ledger, rules } = this.around;
    this.disk.sync();
    const { durable } = this.disk;
    if (durable.isLive === 1) this.isLive = true;
    ledger.acknowledge(this.number, durable.firstHand);
    this.stable.synced();
    if (rules.sendsFromDisk) this.#push(durable.held & ~durable.dropped);
  }

  #push(envelopes: number): void {
    const fresh = envelopes & ~this.#pushed;
    if (fresh === 0) return;
    this.#pushed |= fresh;
    for (const to of this.around.others(this.number)) this.#send(to, { kind: "push", envelopes: fresh });
  }

  #insert(bit: number): void {
    const { rules } = this.around;
    this.stable.checkBelow(bit);
    this.held |= bit;
    this.firstHand |= bit;
    this.disk.write({ held: bit, firstHand: bit });
    if (!rules.sendsFromDisk) this.#push(this.held);
  }

  #publish(): void {
    const { ledger, settings, time } = this.around;
    if (!this.isLive) return;
    this.disk.write({ watermark: this.watermark });
    if (this.number !== settings.wrongClock && !this.isExcused && this.watermark > time() + AHEAD_MS)
      ledger.problem(this.number, "has a watermark ahead of the time, though its clock is right");
  }

  #sendStatus(): void {
    const { rules, others } = this.around;
    const held = rules.reportsAtOnce ? this.reported : this.#reportedBefore;
    this.#reportedBefore = this.reported;
    const { under, isReport } = this.reporting();

    const status: Status = {
      kind: "status",
      clock: this.clock.now,
      isSkewed: this.clock.isSkewed,
      isLive: this.isLive && this.disk.durable.isLive === 1,
      watermark: this.published,
      held,
      list: under?.hash ?? null,
      isReport,
    };

    const { removed } = this.membership;
    const isForAll = ++this.#statuses % STATUSES_TO_LEFT === 0;
    for (const to of others(this.number)) if (isForAll || !removed.has(idOf(to))) this.#send(to, status);
  }

  #status(from: number, status: Status, sentAt: number): void {
    this.lastStatuses[from] = status;
    this.clock.receive(from, status.clock, sentAt);
    this.stable.receive(from);
    this.#confirmed[from] = (this.#confirmed[from] ?? 0) | status.held;
    const { inForce } = this.membership;
    if (inForce === null || !inForce.list.members.includes(this.id)) return;
    let all = this.disk.durable.firstHand;
    for (const id of this.othersOf(inForce)) all &= this.#confirmed[numberOf(id)] ?? 0;
    this.around.ledger.onAll |= all;
  }

  #pull(): void {
    const { random, others, rules } = this.around;
    const all = others(this.number);
    if (all.length === 0) return;
    const { inForce } = this.membership;
    const pull = (to: number) => {
      const usesList = inForce !== null && this.lastStatuses[to]?.list === inForce.hash;
      const under = usesList || !rules.pullsUnderList ? (inForce?.hash ?? null) : null;
      this.#send(to, { kind: "pull", held: this.held, under });
    };
    const members = all.filter((to) => this.membership.members.has(idOf(to)));
    if (this.isLive) pull(random.oneOf(members.length > 0 ? members : all));
    else for (const to of all) pull(to);
  }

  #sendEntries(to: number, { held, under }: Body & { kind: "pull" }): void {
    const { random, rules } = this.around;
    const { durable } = this.disk;
    const stored = rules.sendsFromDisk ? durable.held : this.held;
    const missing = stored & ~held & ~durable.dropped;
    const dropped = durable.dropped & ~held;
    let envelopes = missing;
    if (random.chance(0.2)) envelopes = 0;
    for (const bit of bitsOf(envelopes)) if (random.chance(0.1)) envelopes &= ~bit;
    this.#send(to, { kind: "entries", envelopes, dropped, under, all: stored, isAll: envelopes === missing });
  }

  #receiveEntries(from: number, { envelopes, dropped, under, all, isAll }: Body & { kind: "entries" }): void {
    const { ledger, rules } = this.around;
    const { membership, id } = this;
    if (!rules.mayAcceptFrom(membership, id, idOf(from))) return;
    this.#accept(from, envelopes);
    const missing = dropped & ~this.held;
    if (missing !== 0 && this.isLive)
      ledger.problem(this.number, `misses an entry that daemon ${from} no longer stores`);
    if (missing !== 0 && !this.isLive) {
      this.held |= missing;
      this.disk.write({ held: missing, dropped: missing });
    }
    if (isAll && under !== null) this.#pulled[from] = { under, all };
  }

  #accept(from: number, envelopes: number): void {
    const { rules, envelopes: dates, ledger } = this.around;
    const fresh = envelopes & ~this.held;
    if (fresh === 0 || !rules.mayAcceptFrom(this.membership, this.id, idOf(from))) return;
    const marks = { stablePoint: this.stable.value, watermark: this.watermark };
    for (const bit of bitsOf(fresh)) {
      const arrival = rules.arrivalOf(dates.dateOf(bit), false, false, marks);
      if (arrival === "below-stable")
        ledger.problem(
          this.number,
          `receives an entry from daemon ${from} that is missing from the entries that it has called final`,
        );
      if (arrival !== "accept") continue;
      this.held |= bit;
      this.disk.write({ held: bit });
    }
  }

  #join(): void {
    const { rules, time } = this.around;
    const { inForce } = this.membership;
    if (inForce === null || !inForce.list.members.includes(this.id) || this.reporting().under === null)
      return;

    const reports = new Map<ByteString, JoinReport>();
    const others = this.othersOf(inForce);
    for (const id of others) {
      const from = numberOf(id);
      const status = this.lastStatuses[from];
      if (status === undefined) continue;

      const pulled = this.#pulled[from];
      const isPulled = pulled?.under === inForce.hash && (pulled.all & ~this.disk.durable.held) === 0;
      reports.set(id, {
        list: status.list ?? "",
        isLive: status.isLive,
        watermark: status.watermark,
        isPulled,
      });
    }

    const watermark = rules.joinedWatermark({
      list: inForce.hash,
      isFirst: inForce.list.parents.length === 0,
      others,
      reports,
      own: this.published,
      now: this.clock.now,
    });
    if (watermark === null) return;

    this.watermark = Math.max(this.watermark, watermark);
    // If all other members have reported and the watermark is still ahead of the time, the daemon has no better source.
    const isAll = others.every((id) => reports.get(id)?.list === inForce.hash);
    if (watermark > time() + AHEAD_MS && isAll) this.isExcused = true;
    this.disk.write({ watermark: this.watermark, isLive: 1 });
  }

  #send(to: number, body: Body): void {
    const { send, time, lists } = this.around;
    send({ from: this.number, to, sentAt: time(), lists: lists.closed(this.disk.durable.lists), body });
  }
}
