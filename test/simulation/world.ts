/** The types that the parts of one run share. */

import type { MemberLists } from "../../daemon/cluster/members/member-lists.js";
import type { Peering } from "../../daemon/cluster/peers/peering.js";
import type { Admitted } from "../../daemon/cluster/peers/shared/cluster-state.js";
import type { GatewayAnswer } from "../../daemon/cluster/replica/waiting-group.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import type { LastWrite } from "../../daemon/engine/backends/command-path.js";
import type { PeerAddress } from "../../daemon/options/peer-address.js";
import type { Entry, OrderKey } from "../../daemon/timeline/entries/entry.js";
import type { Timeline } from "../../daemon/timeline/timeline.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { KnownList } from "../../protocol/members/member-list.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { SeededRandom } from "../support/seeded-random.js";
import type { Genesis, SimulatedIdentity } from "./cast.js";
import type { Disk } from "./disk.js";
import type { Front } from "./front.js";
import type { Beginning, Ledger } from "./ledger.js";
import type { End, Network, SimulatedProcess } from "./network.js";
import type { Processor, Scheduler } from "./scheduler.js";
import type { Settings } from "./settings.js";

/** The start of each run, in milliseconds since 1970. */
export const EPOCH = 1_790_000_000_000;

/** The network ports of a daemon. */
export interface DaemonPorts {
  readonly process: SimulatedProcess;
  /** The addresses of all peers that it knows. */
  readonly addresses: readonly PeerAddress[];
  /** Whether it accepts connections. */
  readonly isOpen: boolean;
  /** Accepts a connection. */
  receiveConnection(end: End): void;
}

/** One process of a simulated daemon. */
export interface Daemon {
  readonly timeline: Timeline;
  readonly peering: Peering;
  /** The daemon's member lists, or null if the run has none. */
  readonly lists: MemberLists | null;
  readonly ports: DaemonPorts;
  readonly isAlive: () => boolean;
  /** Whether the daemon serves clients and has all entries of a member. */
  readonly isLive: boolean;
  /** Whether it has folded entries that have not reached its disk yet. */
  readonly isStoring: boolean;
  die(isSilent: boolean): void;
  /** The path of clients, or null if the daemon does not accept messages yet. */
  readonly front: Front | null;
  /** Ids of envelopes that it has received from clients. */
  readonly accepted: ReadonlySet<ByteString>;
}

/** The options of the daemon on one host. A change takes effect at its next start. */
export interface HostOptions {
  /** The names of the hosts at its addresses of --peer; null: all other hosts. */
  peers: readonly string[] | null;
  /** The cluster's secret; null: there is none, and every honest host is a peer. */
  secret: ByteString | null;
  /** The cluster's id according to the data folder; null: that of the run. */
  cluster: ByteString | null;
  /** Whether there is a data folder. Without one, the daemon restarts empty and with a new key. */
  hasData: boolean;
}

/** A machine of a run: its disk, its clock, its network address, and the daemon on it. */
export interface Host {
  readonly name: string;
  readonly disk: Disk;
  /** The processor; each process has a new processor. */
  readonly processor: Processor;
  /** Milliseconds by which the host's clock is ahead. */
  clockOffset: number;
  /** The configured limits of the tail. */
  readonly tail: Settings["tails"][number];
  /** The running process, or null if there is none. */
  readonly daemon: Daemon | null;
  readonly options: HostOptions;
  /** Whether its options or its folder exclude its daemon from the cluster, so that it promises nothing. */
  isForeign: boolean;
  /** The identity stored in the data folder. */
  readonly identity: SimulatedIdentity;
  /** The highest watermark that a daemon with this data folder has published. */
  publishedWatermark: number;
  /** Ids of envelopes that the host's daemons have received from clients. */
  readonly accepted: Set<ByteString>;
  /** The chance of a crash at each point of a disk operation. */
  crashAtDisk: number;
  /** Whether the host is byzantine; its promises do not count. */
  readonly isByzantine: boolean;
  /** How the data folder began, or null if it is not in use yet or was begun before any promise was made. */
  beginning: Beginning | null;
  /** Whether a daemon with this data folder was live and has published a watermark. */
  hasServed: boolean;
  /** Whether a daemon with this data folder was admitted. */
  admitted: Admitted;
  /** When one of its processes was last live, in milliseconds of the run, or -Infinity if none has been live. */
  liveAt: number;
  /**
   * The id of the member whose snapshot the operator orders the next process to accept, or null if there is no
   * order.
   */
  order: ByteString | null;
  clock(): number;
  start(): void;
  /**
   * Ends the process immediately.
   * @param isSilent  whether the complete machine stops, so that no connection is closed
   */
  kill(reason: string, isSilent?: boolean): void;
  restartAfter(delay: number): void;
  /** Deletes the data folder, including the daemon's key. */
  wipe(): void;
  /** Delivers a client's envelope. */
  send(
    entry: Entry,
    wait: Wait | undefined,
    answered: (answer: EnvelopeAnswer, daemon: Daemon) => void,
  ): void;
  /** Delivers a command without a signature. */
  write(argv: readonly ByteString[], answered?: (answer: GatewayAnswer) => void, lastWrite?: LastWrite): void;
  script(calls: readonly (readonly ByteString[])[]): void;
  /** Whether the entry at an order key is on the disk and sound. */
  stores(orderKey: ByteString): boolean;
  /** Whether the entry would also survive a power loss. */
  storesDurably(orderKey: ByteString): boolean;
  /** Returns the number of this host's data folders that an entry has ever reached. */
  foldersWith(orderKey: OrderKey): number;
}

/** The particular behaviour of a byzantine member. */
export interface Misbehaviour {
  /** The keys with which its timeline starts. */
  readonly genesis: Genesis;
  /** Returns the frames to send in place of a frame. */
  rewrite(frame: Buffer, to: string): readonly Buffer[];
  tick(timeline: Timeline): void;
}

export interface World {
  /** Whether operators have removed the byzantine member. */
  isByzantineRemoved: boolean;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly network: Network;
  readonly settings: Settings;
  readonly genesis: Genesis;
  readonly hosts: readonly Host[];
  /** The hosts that are not byzantine and that each head of the lists names. */
  readonly honest: readonly Host[];
  /** Called when a daemon has started; absent: the run watches no starts. */
  onStarted?: (host: Host) => void;
  /**
   * Called before and after each step of a daemon: a disk operation, or a message that it sends or receives. It may
   * stop the daemon. Absent: the run watches no steps.
   * @param bytes  of the messages; null: a disk operation
   */
  onStep?: (host: Host, step: string, bytes: Buffer | null) => void;
  /** The lists without a successor, among the lists that were signed and not lost. */
  heads: readonly KnownList[];
  readonly ledger: Ledger;
  /** Writes a line of the trace; `what` runs only if the trace is on. */
  readonly trace: (who: string, what: () => string) => void;
}
