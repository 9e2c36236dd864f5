/**
 * What a daemon with --data or --peer has besides: storage, timeline, peers, and what the pipeline needs of them. The
 * daemon loads this module, and with it everything of timeline/ and peers/, only then.
 */
import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { Broadcasts } from "../../engine/pipeline/broadcasts.js";
import { type ClusterSecret, loadClusterSecret } from "../../engine/trust/cluster-secret.js";
import { hashOf, type Identity } from "../../engine/trust/identity.js";
import { tellReceived } from "../../engine/trust/key-audit.js";
import { refusalOfMember } from "../../engine/trust/membership.js";
import { keepGenesis } from "../../engine/trust/recorded-genesis.js";
import { signatureThreads } from "../../engine/trust/signature-threads.js";
import type { Signers } from "../../engine/trust/signers.js";
import { Copies } from "../../engine/users/copies.js";
import { signEnvelope } from "../../keys/sign.js";
import type { Environment } from "../../net/process/environment.js";
import { StartError } from "../../net/process/start-error.js";
import { Turns } from "../../net/process/turns.js";
import type { PeerAddress } from "../../options/peer-address.js";
import { hasUserListener, type Settings } from "../../options/settings.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { Entry, Place } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { SnapshotParts } from "../../timeline/snapshots/snapshot-making.js";
import { Timeline } from "../../timeline/timeline.js";
import type { History } from "../history/history.js";
import { StateMark } from "../history/state-mark.js";
import { boundLists } from "../members/bound-lists.js";
import { ListCommands } from "../members/list-commands.js";
import type { MemberLists } from "../members/member-lists.js";
import { adoptSocket, openTransport } from "../peers/connections/transport.js";
import { Peering } from "../peers/peering.js";
import { peeringLimits } from "../peers/shared/peering-limits.js";
import { type Keeping, keepingIn } from "./aside-folders.js";
import { entryCheck, ringEntryCheck } from "./check-entry.js";
import { Confirmations } from "./confirmations.js";
import { Gateway } from "./gateway.js";
import type { KeptWrites } from "./kept-writes.js";
import { heardMessages } from "./message-check.js";
import { relayMessages } from "./message-relay.js";
import { openStorage } from "./open-storage.js";
import { Recorder } from "./recorder.js";
import { replicaHistory } from "./replica-history.js";
import { snapshotParts } from "./snapshots.js";
import { tellAtStart } from "./start-notes.js";
import { TimelineBackend } from "./timeline-backend.js";
import { TimelineRecording } from "./timeline-recording.js";

/** Milliseconds between two ticks of the peers, where there are any. */
const TICK_MS = 25;
/** The timeline's come with each fourth of them. */
const TIMELINE_TICKS = 4;

export interface ReplicaParts {
  readonly settings: Settings;
  readonly identity: Identity;
  readonly signers: Signers;
  readonly environment: Environment;
  readonly log: Logger;
  /** Messages on channels. */
  readonly broadcasts: Broadcasts;
  /** Entries are on the disk. */
  readonly arrived: (entries: readonly Pick<Entry, "id">[]) => void;
}

/** Opened, not started. @throws StartError  a folder that cannot be used, or that was begun with other keys */
export async function openReplica(parts: ReplicaParts): Promise<Replica> {
  const secret = loadClusterSecret(parts.settings, parts.log);
  const storage = await openStorage(parts.settings, parts.log);
  try {
    if (storage.isDurable) await keepGenesis(storage, parts.signers.genesis);
    return new Replica(parts, storage, secret);
  } catch (problem) {
    await storage.close();
    throw problem;
  }
}

export class Replica implements KeptWrites {
  readonly timeline: Timeline;
  readonly peering: Peering;
  readonly history: History;
  readonly backend: TimelineBackend;
  readonly recording: TimelineRecording;
  readonly #recorder: Recorder;
  readonly #stateMark: StateMark;
  readonly #lists: MemberLists;
  /** For listeners without signatures; null: there is none. */
  readonly gateway: Gateway | null;
  readonly copies: Copies;
  readonly isFinal = false;
  readonly mirrored = this;
  /** Receives what has been recorded, for subscribers. */
  watcher: ((entries: readonly Pick<Place, "at">[], isFromClients: boolean) => void) | null = null;
  readonly #parts: ReplicaParts;
  readonly #snapshots: SnapshotParts;
  readonly #keeping: Keeping;
  /** Runs steps of work that can wait, beside which clients are served. */
  readonly #soon: (step: () => void) => void;
  #peers: readonly PeerAddress[];
  #secret: ClusterSecret | null;
  /** Id of the member whose snapshot an operator has ordered to be taken over; null: of none. */
  #order: ByteString | null;
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;

  constructor(parts: ReplicaParts, storage: Storage, secret: ClusterSecret | null) {
    this.#parts = parts;
    this.#peers = parts.settings.peers;
    this.#order = parts.settings.adopt;
    const { environment, log, signers } = parts;
    this.#secret = secret;
    const turns = new Turns({ uptime: environment.uptime, defer });
    const { soon } = turns;
    this.#soon = soon;
    this.#snapshots = snapshotParts({
      data: parts.settings.data,
      storage,
      genesis: signers.makeRing,
      soon,
      databases: DATABASES_DEFAULT,
      uptime: environment.uptime,
      retainMs: parts.settings.retain,
      every: parts.settings.limits.snapshotEntries,
    });
    this.#keeping = keepingIn(parts.settings, storage, log);
    this.timeline = this.#makeTimeline(storage);
    signers.follow(() => this.timeline.ring);
    const { id } = parts.identity;
    const { timeline } = this;
    this.#lists = boundLists({ storage, signers, own: id, timeline, peering: () => this.peering });
    this.peering = this.#makePeering();
    const recorder = this.#makeRecorder(storage);
    this.history = replicaHistory({
      storage,
      recorder,
      lists: this.#lists,
      timeline: this.timeline,
      peering: this.peering,
      snapshots: this.#snapshots.snapshots,
      soon,
      signers,
      environment,
      keeping: this.#keeping,
      introduction: () => this.gateway?.own.introduction ?? null,
    });
    const options = { past: this.history, unitSteps: parts.settings.limits.maxUnitSteps };
    this.backend = new TimelineBackend(this.timeline, environment, options);
    const confirmations = new Confirmations({ peers: this.peering, timeline: this.timeline, environment });
    const isGateway = parts.settings.v1 === "gateway";
    const gateway =
      isGateway || hasUserListener(parts.settings) ? this.#makeGateway(recorder, confirmations) : null;
    this.gateway = gateway;
    const { speaking } = this.peering;
    relayMessages({ ...parts, speaking, soon: defer, own: gateway?.own ?? null });
    this.copies = new Copies({
      peers: this.peering,
      members: () => recorder.members,
      isAlone: () => this.#isAlone,
      environment,
    });
    this.#recorder = recorder;
    this.#stateMark = new StateMark({ storage, recorder, timeline: this.timeline });
    this.recording = new TimelineRecording({
      recorder,
      confirmations,
      gateway: isGateway ? gateway : null,
      environment,
      lists: this.#listCommands(recorder),
    });
  }

  async start(): Promise<void> {
    const { environment, log } = this.#parts;
    const startedAt = environment.uptime();
    await this.timeline.open().catch((problem: Error) => {
      throw new StartError(`--data: the timeline cannot be read: ${problem.message}.`, 1);
    });
    const took = Math.round(environment.uptime() - startedAt);
    log.info({ milliseconds: took, ...this.timeline.figures }, "the timeline is folded");
    this.peering.start();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    const hasSecret = this.#secret !== null;
    tellAtStart({ ...this.#parts, ring: this.timeline.ring, signs: this.gateway !== null, hasSecret });
  }

  /** The peers first: what they gave is kept. */
  async stop(): Promise<void> {
    this.history.stop();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.peering.stop();
    await this.timeline.stop();
  }

  get failure(): string | null {
    return this.timeline.failure;
  }

  get figures(): KeptWrites["figures"] {
    return this.history.figures;
  }

  /** Takes connections of other daemons, behind their hello; null: none, as they would be told what is not on the disk. */
  get takeMember(): ((socket: Socket, hello: Hello) => void) | null {
    const { settings, log } = this.#parts;
    if (settings.fsync === "never") return null;
    return (socket, hello) => adoptSocket(socket, log, (member) => this.peering.accept(member, hello));
  }

  /**
   * Reads who may be a member from a configuration that was read again.
   * @returns what makes it so
   * @throws StartError  the secret's file cannot be used
   */
  reread(settings: Pick<Settings, "peers" | "adopt" | "clusterSecret">): () => void {
    if (this.#parts.settings.fsync === "never") return () => {};
    const secret = loadClusterSecret(settings, this.#parts.log);
    return () => {
      const isSame = secret !== null && this.#secret?.equals(secret) === true;
      // Who has proved to know another one is let go.
      if (!isSame) this.#secret = secret;
      this.#peers = settings.peers;
      this.#order = settings.adopt;
      this.peering.setPeers(settings.peers);
    };
  }

  #tick(): void {
    this.#ticks++;
    const isTimelines = this.#ticks % TIMELINE_TICKS === 0;
    if (isTimelines || !this.peering.isAlone) this.peering.tick();
    if (isTimelines) this.#tickTimeline();
  }

  #tickTimeline(): void {
    this.peering.watchClock();
    this.timeline.tick();
    this.backend.tick();
    this.#stateMark.tick();
    this.#recorder.tellStandstill();
  }

  #makeTimeline(storage: Storage): Timeline {
    const { settings, signers, environment, log, arrived } = this.#parts;
    const { clock, uptime } = environment;
    return new Timeline({
      storage,
      clock,
      uptime,
      log,
      soon: this.#soon,
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
      snapshots: this.#snapshots,
      refusesRing: ringEntryCheck({ signers, databases: DATABASES_DEFAULT }),
      ...this.#keeping,
      isAlone: () => this.#isAlone,
      isJoining: () => this.peering.isJoining,
      owner: {
        flushed: (entries, from) => {
          this.backend.observer?.changed();
          this.peering.flushed(entries, from);
          this.watcher?.(entries, from === null);
          if (from !== null) tellReceived(entries, log);
          // The gateway's do not come through the pipeline.
          else arrived(entries);
        },
        folded: (entries, answered) => {
          this.#recorder.folded(entries, answered);
          this.backend.observer?.changed();
          arrived(entries);
        },
        failed: (detail) => log.error({ reason: detail }, "the data folder has failed"),
      },
    });
  }

  get #isAlone(): boolean {
    return (
      this.#peers.length === 0 && !this.peering.members.some(({ connection }) => connection === "connected")
    );
  }

  #makePeering(): Peering {
    const { settings, identity, signers, environment, log } = this.#parts;
    const { id, spki, key } = identity;
    return new Peering({
      timeline: this.timeline,
      identity: { id, spki, sign: (bytes) => signEnvelope(bytes, key) },
      cluster: signers.cluster,
      peers: settings.peers,
      order: () => this.#order,
      secret: () => this.#secret,
      refusal: (member, knowsSecret) =>
        refusalOfMember(member, knowsSecret, {
          ring: this.timeline.ring,
          peers: this.#peers,
          standing: this.#lists.standing,
        }),
      lists: this.#lists,
      verifySignature: (signer, bytes, signature) => signers.verifyBy(signer, bytes, signature),
      checkEntry: entryCheck({ signers, hash: hashOf, databases: DATABASES_DEFAULT }),
      signatureThreads: signatureThreads(settings.verifyThreads, { signers, log }),
      messages: heardMessages({ ...this.#parts, databases: DATABASES_DEFAULT }),
      hash: hashOf,
      connect: openTransport(log),
      ...environment,
      soon: this.#soon,
      log,
      limits: peeringLimits(settings),
    });
  }

  #makeRecorder(storage: Storage): Recorder {
    const { settings, identity, environment, log } = this.#parts;
    return new Recorder({
      id: identity.id,
      lists: this.#lists,
      timeline: this.timeline,
      peers: this.peering,
      log,
      environment,
      soon: this.#soon,
      past: settings.window.past,
      flushed: () => storage.flushed(),
    });
  }

  #listCommands(recorder: Recorder): ListCommands {
    const { peering } = this;
    const { identity, signers } = this.#parts;
    return new ListCommands({
      lists: this.#lists,
      own: identity.id,
      signers,
      state: () => recorder.shownState,
      stable: () => peering.stablePoint,
      peers: () => peering.members,
      spkiOf: (id) => peering.spkiOf(id),
      introduction: () => this.gateway?.own.introduction ?? null,
    });
  }

  #makeGateway(recorder: Recorder, confirmations: Confirmations): Gateway {
    const { settings, identity, signers, environment, log } = this.#parts;
    return new Gateway({
      identity,
      recorder,
      confirmations,
      environment,
      log,
      // Clients wait for what it collects.
      soon: defer,
      cluster: signers.cluster,
      changes: this.backend.changes,
      watermark: () => this.timeline.watermark,
      future: settings.window.future,
      give: (entry) => this.peering.giveAtOnce(entry),
    });
  }
}

const defer = (run: () => void) => void setImmediate(run);
