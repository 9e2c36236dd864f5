/**
 * The owner of everything that --data and --peer add: the storage, the timeline, the members, and the objects through
 * which the pipeline uses them. The daemon loads this module, and with it all of daemon/timeline/, only if one of these
 * options is set. A daemon without peers and without a member list does not load the connections and messages between
 * members: open-peering.ts is imported when the daemon gets one of them.
 */

import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { resolve } from "node:path";
import type { Hello } from "../../../protocol/version-2/messages-v2.js";
import { DurableCopies } from "../../engine/backends/durable-copies.js";
import type { Broadcasts } from "../../engine/pipeline/publish-messages.js";
import { type ClusterSecret, loadClusterSecret } from "../../engine/trust/cluster-secret.js";
import { fullDisk, orderFolder } from "../../engine/trust/data-folder.js";
import { recordGenesis } from "../../engine/trust/genesis.js";
import { hashOf } from "../../engine/trust/identity.js";
import { logReceivedChanges } from "../../engine/trust/key-audit.js";
import { BackgroundWork } from "../../net/process/background-work.js";
import { formatHost } from "../../net/process/host-and-port.js";
import { LogThrottle } from "../../net/process/log-throttle.js";
import { loadWith, StartError } from "../../net/process/service.js";
import { readLimitsOf } from "../../options/limits.js";
import type { Settings } from "../../options/settings.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import { ownKeyRecord } from "../../store/key-ring.js";
import { FolderInUse, ForeignFolder } from "../../timeline/disk/timeline-folder.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { TimelineLogger } from "../../timeline/entries/timeline-logger.js";
import type { SnapshotParts } from "../../timeline/snapshots/snapshot-schedule.js";
import { Timeline } from "../../timeline/timeline.js";
import { admittedIn, StateMark } from "../history/catching-up-mark.js";
import { InvalidIndexLog, invalidIndexesOf } from "../history/invalid-indexes.js";
import { TimelineCommands } from "../history/timeline-commands.js";
import { boundLists, type MemberLists } from "../members/member-lists.js";
import type { Members } from "../peers/members-interface.js";
import { NoMembers } from "../peers/no-members.js";
import type { Peering } from "../peers/peering.js";
import { peeringLimits } from "../peers/shared/peering-limits.js";
import { ringEntryCheck } from "../replica/check-entry.js";
import { Recorder } from "../replica/recorder.js";
import { type GatewayClass, loadGateway } from "../replica/recording-base.js";
import { type RemovedDataStores, removedDataStoresIn } from "../replica/replaced-data-folders.js";
import { type NodeState, nextTurn, type ReplicaContext } from "../replica/replica-context.js";
import { snapshotParts } from "../replica/snapshot-maker.js";
import { logAtStart, logFolder } from "../replica/start-log-lines.js";
import { TimelineBackend } from "../replica/timeline-backend.js";
import type { MembershipSettings } from "./open-peering.js";
import { RecordedWrites } from "./recorded-writes.js";

/** Milliseconds between two ticks of the members, if there are any. */
const TICK_MS = 25;
/** The timeline ticks with every fourth tick of the members. Without members, there are only these ticks. */
const TIMELINE_TICKS = 4;
/** Milliseconds after which the same problem of connecting daemons is logged again. */
const NOTICE_MS = 60_000;
/** The free space of the disk is read, and invalid indexes are searched, every two seconds. */
const DISK_TICKS = 80;

/**
 * Opens the storage and creates the node, without starting it.
 * @throws StartError  the folder cannot be used, or was created with other keys
 */
export async function openNode(context: ReplicaContext, broadcasts: Broadcasts): Promise<ClusterNode> {
  const { settings, signers, log } = context;
  const secret = loadClusterSecret(settings, log);
  const storage = await openStorage(settings, log);

  try {
    const advice = () => strandedAdvice(storage, settings);
    const isNew = storage.isDurable && (await recordGenesis(storage, signers.genesis, advice));
    const gatewayClass = await loadGateway(settings);
    const exchange = settings.peers.length > 0 || hasList(storage) ? await loadExchange() : null;
    return new ClusterNode(context, { storage, secret, broadcasts, gatewayClass, exchange, isNew });
  } catch (problem) {
    await storage.close();
    throw problem;
  }
}

/** The code of connections and messages between members. */
type Exchange = typeof import("./open-peering.js");

/** @throws StartError  the code cannot be loaded */
async function loadExchange(): Promise<Exchange> {
  try {
    return await import("./open-peering.js");
  } catch (problem) {
    throw new StartError(`${NOT_LOADED}: ${(problem as Error).message}`, 1);
  }
}

const NOT_ACCEPTED = "a daemon that has connected is not accepted";
const NOT_LOADED =
  "the code for members cannot be loaded, probably because the installation was replaced while this daemon was running; restart the daemon";

/** Whether a folder has a member list, or votes under one. */
const hasList = (storage: Storage): boolean =>
  storage.mark("members") !== null || storage.mark("decisions") !== null;

/**
 * Returns how to write the writes of a folder again in a cluster with other keys, or an empty string if the folder has
 * none, or other daemons have them. A restored backup has no record of that.
 */
function strandedAdvice(storage: Storage, { data, peers }: Settings): string {
  if (data === null || storage.last() === null || admittedIn(storage) === "compared") return "";
  const aside = `${resolve(data)}.stranded`;
  const servers = peers.length === 0 ? "" : ` -s ${peers.map(formatHost).join(",")}`;
  return (
    ` Other daemons may not have the writes in this folder. To use the new keys, rename it to ${aside}, start this daemon again, and then ` +
    `write them again: dbsync dead-letters write-again --stranded --data ${aside}${servers} -k private.pem`
  );
}

interface NodeParts {
  readonly storage: Storage;
  readonly secret: ClusterSecret | null;
  readonly broadcasts: Broadcasts;
  readonly gatewayClass: GatewayClass | null;
  /** The code for members if the daemon has peers or a list at its start. */
  readonly exchange?: Exchange | null;
  readonly isNew?: boolean;
}

export class ClusterNode extends RecordedWrites implements NodeState {
  readonly storage: Storage;
  readonly soon: NodeState["soon"];
  readonly timeline: Timeline;
  readonly lists: MemberLists;
  peering: Members;
  readonly backend: TimelineBackend;
  readonly recording: Recorder;
  readonly history: TimelineCommands;
  readonly copies: DurableCopies;
  readonly isFinal = false;
  readonly mirrored = this;
  readonly #stateMark: StateMark;
  readonly #invalidIndexLog: InvalidIndexLog;
  /** Whether this start created the data folder. */
  readonly #isNew: boolean;
  readonly snapshots: SnapshotParts;
  readonly removedDataStores: RemovedDataStores;
  readonly #broadcasts: Broadcasts;
  /** What the daemon has in place of members as long as `#members` is null. */
  readonly #noMembers: NoMembers;
  #members: Peering | null = null;
  /** The code for members, which is kept: its file may be replaced while the daemon runs. */
  #exchange: Exchange | null;
  #membership: MembershipSettings;
  readonly #notices: LogThrottle;
  #isRunning = false;
  #hasStopped = false;
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;

  constructor(
    context: ReplicaContext,
    { storage, secret, broadcasts, gatewayClass, exchange = null, isNew = false }: NodeParts,
  ) {
    super(context);
    const { settings, signers, environment, log } = context;
    this.storage = storage;
    this.#broadcasts = broadcasts;
    this.#exchange = exchange;
    this.#notices = new LogThrottle({ log, uptime: environment.uptime, periodMs: NOTICE_MS });
    this.#membership = { peers: settings.peers, secret, adopt: settings.adopt };
    this.#isNew = isNew;

    this.soon = new BackgroundWork({ uptime: environment.uptime, defer: nextTurn }).soon;
    this.snapshots = snapshotParts(this);
    this.removedDataStores = removedDataStoresIn(settings, storage, log);

    this.timeline = this.#makeTimeline();
    signers.follow(this.timeline);
    signers.own = ownKeyRecord(context.identity.id, context.identity.spki);
    this.lists = boundLists(this);
    this.#noMembers = this.#makeNoMembers();
    this.peering = this.#noMembers;

    this.backend = new TimelineBackend(this.timeline, environment, settings.limits.maxUnitSteps);
    this.timeline.database.readLimits = readLimitsOf(settings.limits);
    this.recording = new Recorder(this, gatewayClass);
    this.history = new TimelineCommands(this, this.recording);
    this.backend.past = this.history;
    this.backend.closedDates = this.peering.closing;

    this.copies = new DurableCopies({
      peers: {
        copies: (orderKey) => this.peering.copies(orderKey),
        replicated: (orderKey, daemons) => this.peering.replicated(orderKey, daemons),
      },
      members: () => this.recording.members,
      isAlone: this.#isAlone,
      environment,
    });

    this.#stateMark = new StateMark(this, this.recording);
    this.#invalidIndexLog = new InvalidIndexLog(log);
    if (exchange !== null) this.#beginExchange(exchange);
  }

  async start(): Promise<void> {
    const { environment } = this;
    const startedAt = environment.uptime();
    await this.timeline.open().catch((problem: Error) => {
      throw new StartError(`--data: the timeline cannot be read: ${problem.message}.`, 1);
    });
    logFolder(this, this.#isNew, Math.round(environment.uptime() - startedAt));
    this.#isRunning = true;
    this.peering.start();
    this.#scheduleTick();
    logAtStart(this, this.#membership.secret !== null);
  }

  /** Stops the members first, so that all entries that they have sent are still stored. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#hasStopped = true;
    this.history.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.peering.stop();
    await this.timeline.stop();
  }

  get figures(): RecordedWrites["figures"] {
    return this.history.figures;
  }

  /**
   * The function that accepts a connection from another daemon after its hello, or null if no connections are accepted,
   * because the other daemon would receive entries that are not on disk.
   */
  get takeMember(): ((socket: Socket, hello: Hello) => void) | null {
    if (this.settings.fsync === "never") return null;
    return (socket, hello) => {
      const onError = () => socket.destroy();
      // An error without a listener would end the process.
      socket.on("error", onError);
      this.#load().then(
        (exchange) => {
          socket.off("error", onError);
          const members = socket.destroyed ? null : this.#beginExchange(exchange);
          if (members === null) socket.destroy();
          else exchange.acceptMember(members, socket, hello, this.log);
        },
        ({ message }: StartError) => {
          this.#notices.error("members", { reason: message }, NOT_ACCEPTED);
          socket.destroy();
        },
      );
    };
  }

  haveMembers(): Promise<void> | null {
    if (this.#members !== null) return null;
    return this.#load().then((exchange) => void this.#beginExchange(exchange));
  }

  async #load(): Promise<Exchange> {
    return (this.#exchange ??= await loadExchange());
  }

  /**
   * Replaces NoMembers by the members, in one step, if this was not done before.
   * @returns null if the node has stopped without members: it would not stop these
   */
  #beginExchange({ openPeering }: Exchange): Peering | null {
    if (this.#members !== null || this.#hasStopped) return this.#members;
    const before = this.#noMembers;

    const members = openPeering({
      node: this,
      broadcasts: this.#broadcasts,
      membership: () => this.#membership,
      before,
    });

    this.#members = members;
    this.peering = members;
    this.backend.closedDates = members.closing;
    before.stop();
    if (this.#isRunning) members.start();
    before.passWaits(members);
    return members;
  }

  /**
   * Reads the membership settings of a configuration that was reloaded.
   * @returns a function that applies them
   * @throws StartError  the secret's file cannot be used, or the code for the first peer cannot be loaded
   */
  async reread(settings: Settings): Promise<() => void> {
    if (this.settings.fsync === "never") return () => {};

    const { peers, adopt } = settings;
    const reread = loadClusterSecret(settings, this.log);
    const exchange = peers.length > 0 ? await this.#load() : null;

    return () => {
      const { secret: known } = this.#membership;
      // Replace the secret only if it has changed, because a new secret disconnects the members that have proved that
      // they know the previous one.
      const secret = reread !== null && known?.equals(reread) === true ? known : reread;

      const members = exchange === null ? this.#members : this.#beginExchange(exchange);
      this.#membership = { peers, secret, adopt };
      members?.setOrder(adopt);
      members?.setSecret(secret);
      members?.setPeers(peers);
    };
  }

  /** Without members, the node skips the ticks between those of the timeline: an idle daemon then wakes less often. */
  #scheduleTick(): void {
    const ticks = this.peering.isAlone ? TIMELINE_TICKS - (this.#ticks % TIMELINE_TICKS) : 1;
    this.#timer = setTimeout(() => this.#tick(ticks), ticks * TICK_MS).unref();
  }

  #tick(ticks: number): void {
    this.#ticks += ticks;
    this.#scheduleTick();
    this.peering.tick();
    // In the turn that changes the state: the record must precede the first write that the daemon then accepts.
    this.#stateMark.tick();
    if (this.#ticks % TIMELINE_TICKS === 0) this.#tickTimeline();
  }

  #tickTimeline(): void {
    this.peering.watchClock();
    this.timeline.tick();
    // Without members, `peering` follows this daemon's own clock, which says nothing of what members have stored.
    this.timeline.voidLetters.tick(this.#members?.stablePoint ?? 0);
    this.backend.tick();
    this.recording.logStandstill();
    this.recording.patternOrders.tick();
    if (this.#ticks % DISK_TICKS !== 0) return;
    this.watchDisk();
    this.#invalidIndexLog.check(invalidIndexesOf(this.timeline.database, this.environment.clock()));
  }

  #makeTimeline(): Timeline {
    const { settings, signers, environment, log, arrived, storage } = this;
    const { clock, uptime } = environment;
    return new Timeline({
      storage,
      clock,
      uptime,
      log,
      soon: this.soon,
      hash: hashOf,
      genesis: signers.makeRing,
      databases: DATABASES_DEFAULT,
      window: settings.window,
      limits: {
        tailMs: settings.limits.tailSeconds,
        tailBytes: settings.limits.maxTailBytes,
        unitSteps: settings.limits.maxUnitSteps,
        retainMs: settings.retain,
        retainBytes: settings.data === null ? settings.limits.maxTimelineBytes : Number.POSITIVE_INFINITY,
      },
      snapshots: this.snapshots,
      refusesRing: ringEntryCheck(signers),
      ...this.removedDataStores,
      isAlone: this.#isAlone,
      isJoining: () => this.peering.isJoining,
      handlers: {
        storing: (entries) => {
          const { admission } = this.peering;
          if (admission.admitted !== null) return [];
          admission.noteWrite(entries);
          return this.#stateMark.changed();
        },
        flushed: (entries, from) => {
          this.backend.observer?.changed();
          this.peering.flushed(entries, from);
          this.watcher?.(entries, from === null);
          if (from !== null) logReceivedChanges(entries, log);
          // Report entries of the gateway here, because they do not pass through the pipeline.
          else arrived(entries);
        },
        folded: (entries, answered) => {
          const decided = this.timeline.decided.note(entries);
          this.recording.folded(entries, answered);
          this.peering.closing.folded();
          this.backend.observer?.changed();
          arrived(entries);
          arrived(decided);
        },
        failed: (detail) => log.error({ reason: detail }, "the data folder has failed"),
      },
    });
  }

  readonly #isAlone = (): boolean => this.#membership.peers.length === 0 && this.peering.isAlone;

  #makeNoMembers(): NoMembers {
    const { timeline, environment, settings, storage, named } = this;
    return new NoMembers({
      timeline,
      uptime: environment.uptime,
      limits: peeringLimits(settings),
      admitted: admittedIn(storage),
      named,
    });
  }
}

/**
 * With --fsync always, the event loop itself writes as long as a write takes at most this number of microseconds on
 * average: a thread costs about 50 µs of CPU and 100 µs of waiting.
 */
const INLINE_WRITE_MICROS = 1000;

/**
 * Opens the storage of the timeline: in the data folder, or in memory. The package lmdb is loaded with --data only.
 * @param log  receives reports of damage that loses data but does not prevent the start
 * @throws StartError  the folder cannot be used, or another daemon uses it
 */
export async function openStorage({ data, fsync }: Settings, log: TimelineLogger): Promise<Storage> {
  if (data === null) {
    const { MemoryStorage } = await import("../../timeline/memory-storage.js");
    return new MemoryStorage();
  }

  if (existsSync(orderFolder(data)))
    throw new StartError(
      `--data ${data}: it holds the state of a stream, which only --order can continue: add --order, or specify a new folder.`,
      2,
    );

  const { DiskStorage } = await loadWith(
    "lmdb",
    "--data",
    () => import("../../timeline/disk/disk-storage.js"),
  );

  try {
    return new DiskStorage(data, fsync, log, INLINE_WRITE_MICROS);
  } catch (problem) {
    if (problem instanceof ForeignFolder) throw new StartError(`--data: ${problem.message}.`, 2);
    if (problem instanceof FolderInUse) throw new StartError(`--data: ${problem.message}.`, 1);
    const full = fullDisk(problem);
    if (full !== null) throw new StartError(`--data ${data}: ${full}`, 1);
    const reason = problem instanceof Error ? problem.message : String(problem);
    throw new StartError(
      `--data ${data}: its timeline cannot be opened: ${reason}. Correct --data, or free or repair the disk. If the folder stays ` +
        "unusable, move it aside and start with an empty one, which the peers fill.",
      1,
    );
  }
}
