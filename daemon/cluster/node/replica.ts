/**
 * The owner of a daemon's recorded writes and of the resulting state, as the daemon's setup and the listeners use it.
 * There are two implementations: one with the daemon's own timeline (cluster-node.ts), and one with a stream that
 * orders the writes (faces/nats-order/ordered-replica.ts).
 */
import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { Figures } from "../../../protocol/figures/figure.js";
import type { ORDER_FIGURES } from "../../../protocol/figures/order-figures.js";
import type { Hello } from "../../../protocol/version-2/messages-v2.js";
import type { DurableCopies } from "../../engine/backends/durable-copies.js";
import type { Identity } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { DiskSpace } from "../../net/process/disk.js";
import type { Histogram } from "../../net/process/histogram.js";
import type { Service } from "../../net/process/service.js";
import type { Settings } from "../../options/settings.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { ReplicaFigures } from "../history/replica-figures.js";
import type { TimelineCommands } from "../history/timeline-commands.js";
import type { Gateway } from "../replica/gateway.js";
import type { RecorderBase } from "../replica/recorder-base.js";
import type { ReplicaContext } from "../replica/replica-context.js";
import type { TimelineBackend } from "../replica/timeline-backend.js";

export interface MirroredTimeline {
  readonly timeline: Timeline;
  readonly backend: TimelineBackend;
  readonly history: TimelineCommands;
}

export abstract class Replica implements Service, ReplicaContext {
  readonly settings: Settings;
  readonly identity: Identity;
  readonly signers: Signers;
  readonly environment: Environment;
  readonly log: Logger;
  readonly startThread: ReplicaContext["startThread"];
  readonly arrived: ReplicaContext["arrived"];
  readonly page: ReplicaContext["page"];
  readonly clientTotals: ReplicaContext["clientTotals"];
  readonly named: ReplicaContext["named"];
  /** Free space on the disk of the data folder. */
  readonly disk: DiskSpace;
  /** Whether the log has already reported that the disk is nearly full. */
  #isDiskLow = false;
  abstract readonly backend: TimelineBackend;
  /** The pipeline's recorder. */
  abstract readonly recording: RecorderBase;
  /** The number of copies that other daemons have. */
  abstract readonly copies: DurableCopies;
  /** The figures of the timeline, or null if there is none. */
  abstract readonly figures: ReplicaFigures | null;
  /** The timeline that a Redis mirrors, or null if there is none. */
  abstract readonly mirrored: MirroredTimeline | null;
  /** Whether the order of writes is final when they are answered. */
  abstract readonly isFinal: boolean;
  /** Receives the recorded entries while a dashboard is open. */
  watcher: ((entries: readonly { readonly at: number }[], isFromClients: boolean) => void) | null = null;
  /**
   * The function that accepts a connection from another daemon after its hello, or null if no connections are accepted.
   */
  abstract readonly takeMember: ((socket: Socket, hello: Hello) => void) | null;

  constructor(context: ReplicaContext) {
    const { settings, identity, signers, environment, log, startThread } = context;
    const { arrived, page, clientTotals, named } = context;
    this.settings = settings;
    this.identity = identity;
    this.signers = signers;
    this.environment = environment;
    this.log = log;
    this.startThread = startThread;
    this.arrived = arrived;
    this.page = page;
    this.clientTotals = clientTotals;
    this.named = named;
    this.disk = new DiskSpace(settings.data);
  }

  /** The gateway, which signs for listeners without signatures, or null if there is no such listener. */
  get gateway(): Gateway | null {
    return this.recording.gateway;
  }

  /** The figures of the stream that orders the writes, or undefined if there is none. */
  get order(): OrderFigures | undefined {
    return undefined;
  }

  /** Checks the free space of the disk, and logs once when it falls below the limit. */
  protected watchDisk(): void {
    this.disk.startCheck();
    const isLow = this.isDiskLow;
    const { minDiskFree } = this.settings.limits;
    if (isLow && !this.#isDiskLow)
      this.log.warn({ ...this.disk.last, minDiskFree }, "the disk of the data folder is nearly full");
    this.#isDiskLow = isLow;
  }

  /** Whether the free space on the disk is known and below --min-disk-free. */
  get isDiskLow(): boolean {
    return this.disk.isBelow(this.settings.limits.minDiskFree);
  }

  abstract start(): Promise<void>;
  abstract stop(): Promise<void>;

  /**
   * Reads the membership settings of a configuration that was reloaded.
   * @returns a function that applies them
   * @throws StartError  the configuration cannot be used
   */
  abstract reread(settings: Settings): (() => void) | Promise<() => void>;
}

/** The attempts to add an envelope to the stream since the start, by outcome. */
export interface PublishCounts {
  stored: number;
  /** The stream already had the envelope, from another daemon or from an earlier attempt without a reply. */
  repeated: number;
  refused: number;
  /** The attempt got no reply and was repeated. */
  unknown: number;
}

/** The figures of the stream that orders the writes (--order), for metrics and INFO. */
export interface OrderFigures extends Figures<typeof ORDER_FIGURES> {
  readonly published: Readonly<PublishCounts>;
  /** The seconds from adding an envelope to the stream's acknowledgement. */
  readonly publishing: Histogram;
}
