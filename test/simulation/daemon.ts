/** One process of a simulated daemon: the real timeline and peering on simulated surroundings. */

import { boundLists, type MemberLists, refusalOfMember } from "../../daemon/cluster/members/member-lists.js";
import { Peering } from "../../daemon/cluster/peers/peering.js";
import type { MemberSecret } from "../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../daemon/cluster/peers/shared/peering-limits.js";
import { entryCheck, ringEntryCheck, unitCheck } from "../../daemon/cluster/replica/check-entry.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { DATABASES_DEFAULT } from "../../daemon/store/database.js";
import { UNIT_STEPS_DEFAULT } from "../../daemon/store/keyspace/effort-budget.js";
import type { Entry, OrderKey } from "../../daemon/timeline/entries/entry.js";
import type { RefuseRingEntry } from "../../daemon/timeline/snapshots/ring-entries.js";
import { Timeline } from "../../daemon/timeline/timeline.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { CLOSE_REASONS } from "../../protocol/figures/close-reasons.js";

import { hexOf } from "../../protocol/version-2/envelope.js";
import { openAsideOf } from "./asides.js";
import { randomBytes, ringOf, shortId } from "./cast.js";
import { ComparisonWatch } from "./comparison-watch.js";
import { type DiskMoment, SimulatedStorage } from "./disk.js";
import { makeFront, signersOf } from "./front.js";
import { noteVoidsFrom, openDeadLettersOf } from "./lists/simulated-dead-letters.js";
import { misbehave } from "./misbehaviour.js";
import { Ports } from "./ports.js";
import { isSignedBy, sha256, signatureOf } from "./signatures.js";
import { snapshotParts } from "./snapshots.js";
import { BeginningWatch, noteAccepted, StablePointWatch } from "./stable-promises.js";
import { StateWatch } from "./state-watch.js";
import { type Daemon, EPOCH, type Host, type World } from "./world.js";

const TIMELINE_TICK_MS = 100;
const PEERING_TICK_MS = 25;
/** The share of clock reads that take `readMs`. */
const SLOW_READS = 0.05;

export function startDaemon(host: Host, world: World): Daemon {
  const { scheduler, random, settings, ledger, genesis, network } = world;
  const { processor, identity, order, options } = host;
  const cluster = options.cluster ?? genesis.cluster;
  let alive = true;
  let opened = false;
  const isAlive = () => alive;
  const misbehaviour = host.isByzantine ? misbehave(host, world) : null;
  // Promises of a byzantine daemon do not count.
  const violate = (text: string): void => {
    if (misbehaviour === null) ledger.violate(text);
  };
  const startedAt = scheduler.time;

  /** Whether the run itself is reading the clock, which costs no time. */
  let isWatching = false;
  const asRun = (check: () => void): void => {
    isWatching = true;
    check();
    isWatching = false;
  };
  /** Returns the process's uptime. Reading it costs time, so that work in slices is really interrupted. */
  const uptime = (): number => {
    if (settings.readMs > 0 && !isWatching && random.chance(SLOW_READS))
      processor.busyUntil = Math.max(processor.busyUntil, scheduler.time) + settings.readMs;
    return Math.max(processor.busyUntil, scheduler.time) - startedAt;
  };
  const soon = (step: () => void): void =>
    scheduler.after(0, processor, () => {
      if (alive) step();
    });
  const every = (ms: number, step: () => void): void => {
    const again = () => {
      if (!alive) return;
      step();
      scheduler.after(ms, processor, again);
    };
    scheduler.after((ms * random.below(100)) / 100, processor, again);
  };
  const log = {
    debug: () => {},
    info: (facts: object, text: string) => {
      // A snapshot of a byzantine member may have false sums. A daemon that has accepted such a snapshot cannot be sure
      // that entries are gone, and reports them at level info only.
      if (ledger.isTainted && "upTo" in facts && "count" in facts) host.disk.hasReportedOrphans = true;
      // If other daemons wrote in the same second, the sums cannot show which entries are gone, and the daemon reports
      // each entry.
      if ("upTo" in facts && "entries" in facts)
        for (const entry of facts.entries as string[])
          host.disk.reportedPossible.add(entry.split(" ")[1] ?? "");
      world.trace(host.name, () => `${text} ${JSON.stringify(facts)}`);
    },
    warn: (facts: object, text: string) => {
      world.trace(host.name, () => `WARN ${text} ${JSON.stringify(facts)}`);
      // The daemon survives the error, but it is a defect.
      if (text === CLOSE_REASONS["internal-error"]) throw new Error(`${text} ${JSON.stringify(facts)}`);
    },
    error: (facts: object, text: string) => {
      if ("upTo" in facts && "count" in facts) host.disk.hasReportedOrphans = true;
      if ("id" in facts && /entry of the timeline is damaged/.test(text))
        host.disk.reportedRotten.add(`${facts.id}`);
      accuse(facts, text);
      world.trace(host.name, () => `ERROR ${text} ${JSON.stringify(facts)}`);
    },
  };
  /** Records a violation if the daemon accuses an honest member of a lie or of a different state. */
  const accuse = (facts: object, text: string): void => {
    if (!/signed two states|another state/.test(text)) return;
    const accused =
      "member" in facts ? world.hosts.find(({ identity: { id } }) => hexOf(id) === facts.member) : host;
    if (accused?.isByzantine === false)
      violate(`${host.name} accuses ${accused.name}: ${text.slice(0, 50)} ${JSON.stringify(facts)}`);
  };
  const environment: Environment = {
    clock: () => host.clock(),
    uptime,
    random: () => random.below(1_000_000) / 1_000_000,
    randomBytes: (count) => randomBytes(random, count),
    setTimer(milliseconds, step) {
      let isWanted = true;
      scheduler.after(milliseconds, processor, () => {
        if (alive && isWanted) step();
      });
      return () => void (isWanted = false);
    },
  };
  const storage = new SimulatedStorage({
    disk: host.disk,
    scheduler,
    processor,
    random,
    isAlive,
    syncEveryMs: settings.syncEveryMs,
    isDurable: options.hasData,
    vanished: (orderKeys) => {
      ledger.arrivals.lost(
        host,
        orderKeys.map((orderKey) => orderKey.slice(10)),
      );
      // With --fsync interval, an answer does not promise that an entry survives a crash.
      for (const orderKey of orderKeys)
        if (!world.honest.some((other) => other.stores(orderKey))) ledger.lost.add(orderKey);
    },
    at: (moment: DiskMoment) => {
      if (alive) world.onStep?.(host, moment, null);
      if (alive && host.crashAtDisk > 0 && random.chance(host.crashAtDisk)) {
        host.kill(moment, random.chance(0.3));
        host.restartAfter(random.between(10, 4_000));
      }
    },
    removed: (orderKey, wasSound) => {
      if (!wasSound || host.disk.holds(orderKey)) return;
      if (!host.disk.hasAcceptedSnapshot)
        violate(`${host.name} removed a sound entry, ${shortId(orderKey.slice(10))}`);
      else if (!host.disk.hasReportedOrphans && !host.disk.reportedPossible.has(hexOf(orderKey.slice(10))))
        violate(`${host.name} dropped ${shortId(orderKey.slice(10))} without reporting it`);
    },
  });
  const ring = () => ringOf(misbehaviour?.genesis ?? genesis);
  const timeline: Timeline = new Timeline({
    storage,
    hash: sha256,
    clock: () => host.clock(),
    uptime,
    soon,
    log,
    genesis: ring,
    databases: DATABASES_DEFAULT,
    window: settings.window,
    limits: {
      ...host.tail,
      unitSteps: UNIT_STEPS_DEFAULT,
      retainMs: misbehaviour === null ? settings.retainMs : 0,
      retainBytes: Number.POSITIVE_INFINITY,
    },
    snapshots: snapshotParts(host, world, { storage, isAlive, ring }),
    refusesRing: (entry, ring) => refusesRing(entry, ring),
    openReplacedData: openAsideOf(host, world, { isAlive }),
    openDamagedEntries: null,
    openDeadLetters: settings.lists ? openDeadLettersOf(host, world, { isAlive }) : null,
    isAlone: () => false,
    isJoining: () => peering.isJoining,
    handlers: {
      storing: () => [],
      flushed: (entries, from) => {
        if (!alive) return;
        world.trace(host.name, () => `flushed ${from === null ? "own" : "received"} ${named(entries)}`);
        peering.flushed(entries, from);
      },
      folded: (entries, answered) => {
        ledger.arrivals.note(
          host,
          entries.map(({ id }) => id),
        );
        if (alive && misbehaviour === null) ledger.decisions.folded(entries, ledger);
        const decided = timeline.decided.note(entries);
        front.recorder.folded(entries, answered);
        front.pipeline.arrived(entries);
        front.pipeline.arrived(decided);
      },
      failed: (detail) => world.trace(host.name, () => `disk failed: ${detail}`),
    },
  });
  const signers = signersOf(timeline, { ...genesis, cluster }, identity);
  const lists: MemberLists | null = settings.lists
    ? boundLists({
        storage,
        signers,
        identity,
        timeline,
        get peering() {
          return peering;
        },
      })
    : null;
  const refusesRing: RefuseRingEntry = ringEntryCheck(signers);
  const ports = new Ports(host, world, {
    isAlive,
    rewrite: (frame, to) => {
      host.publishedWatermark = Math.max(host.publishedWatermark, timeline.published);
      return misbehaviour === null ? [frame] : misbehaviour.rewrite(frame, to);
    },
  });
  const peering: Peering = new Peering({
    timeline,
    identity: { ...identity, sign: (bytes: Buffer) => signatureOf(identity.spki, bytes) },
    cluster,
    peers: ports.addresses,
    order,
    admitted: host.admitted,
    secret: options.secret === null ? null : secretOf(options.secret),
    refusal: (id, knowsSecret) => {
      const other = world.hosts.find(({ identity }) => identity.id === id);
      const isUnknown = other === undefined || (world.isByzantineRemoved && other.isByzantine);
      const isForeign = options.secret === null ? isUnknown : !knowsSecret;
      if (lists === null) return isForeign ? "not-a-member" : null;
      const { ring } = timeline;
      return refusalOfMember(id, !isForeign, { ring, peers: ports.addresses, membership: lists.membership });
    },
    lists,
    signatureThreads: null,
    messages: null,
    about: null,
    named: null,
    verifySignature: isSignedBy,
    checkEntry: entryCheck(signers, lists?.history ?? null),
    checkUnit: unitCheck(signers),
    hash: sha256,
    limits: { ...PEERING_LIMITS, ...settings.peering, ...settings.window },
    connect: (address, owner) => ports.connect(address, owner),
    ...environment,
    soon,
    nextTurn: soon,
    log,
  });
  const accepted = new Set<ByteString>();
  const accept = (entry: Entry): void => {
    const { at } = entry.envelope;
    accepted.add(entry.id);
    if (lists !== null && (lists.refusal !== null || lists.isJoining))
      violate(`${host.name} accepted ${shortId(entry.id)}: ${lists.refusal ?? "it has not joined yet"}`);
    host.accepted.add(entry.id);
    ledger.arrivals.note(host, [entry.id]);
    noteAccepted(world, host, entry);
    // A watermark that is not published yet counts too: the daemon may be writing it to the disk.
    const watermark = Math.max(host.publishedWatermark, timeline.watermark);
    if (at <= watermark)
      violate(
        `${host.name} accepted ${shortId(entry.id)} dated ${at - EPOCH}, at or before its watermark ${watermark - EPOCH}`,
      );
  };
  const front = makeFront({
    timeline,
    peering,
    identity,
    environment,
    log,
    soon,
    lists,
    signers,
    window: settings.window,
    remembered: settings.remembered,
    storage,
    accepted: accept,
    signed: (entry, flushed) => {
      // The entry is recorded even if the process has just died, because the write may have reached the disk.
      ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [{ host: host.name, kind: "unknown" }] });
      flushed.then(
        () => alive && misbehaviour === null && ledger.acknowledged.set(entry.id, host.name),
        () => {},
      );
    },
    requested: (entry, answered) => {
      ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [{ host: host.name, kind: "unknown" }] });
      answered.then((decided) => {
        if (!alive || misbehaviour !== null) return;
        if ("kind" in decided) {
          if (decided.effect === "not-applied") ledger.decisions.refused(entry.id, host.name);
          return;
        }

        const replies = decided.answers.map(({ reply }) => reply);
        const isPlaced = !entry.envelope.decide;
        const problem = isPlaced ? ledger.decisions.answeredPlaced(entry.id, replies, host.name) : null;
        if (problem !== null) violate(problem);
      });
    },
  });

  timeline.open().then(
    () => {
      if (!alive) return;
      if (timeline.watermark < host.publishedWatermark)
        violate(
          `${host.name} published the watermark ${host.publishedWatermark - EPOCH} and restarted with ${timeline.watermark - EPOCH}`,
        );

      opened = true;
      ledger.arrivals.note(
        host,
        host.disk.held().map((orderKey) => orderKey.slice(10)),
      );

      every(TIMELINE_TICK_MS, () => {
        timeline.tick();
        timeline.voidLetters.tick(peering.stablePoint);
        noteVoidsFrom(host.disk);
      });
      const [watch, stableWatch] = [new StateWatch(host, world), new StablePointWatch(host, world)];
      const beginningWatch = new BeginningWatch(host, world);
      const comparisonWatch = new ComparisonWatch(host, world);

      every(PEERING_TICK_MS, () => {
        peering.tick();
        front.recorder.patternOrders.tick();
        host.admitted = peering.admission.admitted;
        asRun(() => beginningWatch.check(peering));
        if (misbehaviour !== null) {
          misbehaviour.tick(timeline);
          return;
        }

        stableWatch.check(peering.stablePoint);
        comparisonWatch.check(peering);
        if (peering.state === "live") host.liveAt = scheduler.time;
        // A daemon with an order to accept a member's snapshot stops accepting writes, so it is not watched.
        const isOut = lists !== null && (lists.isJoining || !world.honest.includes(host));
        if (order === null) watch.check(peering.state, isOut ? () => {} : violate);
      });

      peering.start();
      ports.open(peering);
    },
    (problem: Error) => alive && violate(`${host.name} does not start: ${problem.stack}`),
  );

  return {
    timeline,
    peering,
    lists,
    ports,
    isAlive,
    get isLive() {
      return opened && timeline.failure === null && timeline.state === "live" && peering.state === "live";
    },
    get isStoring() {
      return storage.isBusy;
    },
    die(isSilent) {
      alive = false;
      storage.crash(isSilent);
      if (!isSilent) network.breakAllOf(isAlive);
    },
    get front() {
      return opened ? front : null;
    },
    accepted,
  };
}

/** Returns a secret whose proofs are hashes. */
const secretOf = (secret: ByteString): MemberSecret => {
  const mac = (bytes: Buffer) =>
    Buffer.from(sha256(Buffer.concat([Buffer.from(`secret\0${secret}`, "latin1"), bytes])), "latin1");
  return { mac, holds: (bytes, proof) => mac(bytes).equals(proof) };
};

const named = (orderKeys: readonly OrderKey[]) =>
  orderKeys.map(({ id, at }) => `${shortId(id)}@${at - EPOCH}`).join(" ");
