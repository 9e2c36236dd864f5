/** What the parts of one run share. */

import type { MemberLists } from "../../cluster/members/member-lists.js";
import type { Peering } from "../../cluster/peers/peering.js";
import type { EnvelopeAnswer } from "../../engine/answers/request.js";
import type { PeerAddress } from "../../options/peer-address.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { KnownList } from "../../protocol/members/succession.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { Entry, Place as EntryPlace } from "../../timeline/entries/entry.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { SeededRandom } from "../support/seeded-random.js";
import type { Genesis, SimulatedIdentity } from "./cast.js";
import type { Disk } from "./disk.js";
import type { Front } from "./front.js";
import type { Beginning, Ledger } from "./ledger.js";
import type { End, Network, Place } from "./network.js";
import type { Processor, Scheduler } from "./scheduler.js";
import type { Settings } from "./settings.js";

/** Milliseconds since 1970 at a run's begin. */
export const EPOCH = 1_790_000_000_000;

/** Where a daemon is reached. */
export interface Harbour {
  readonly place: Place;
  /** Of all others that it knows of. */
  readonly addresses: readonly PeerAddress[];
  /** Whether others are let in. */
  readonly isOpen: boolean;
  /** A connection has come. */
  welcome(end: End): void;
}

/** One process of a simulated daemon. */
export interface Daemon {
  readonly timeline: Timeline;
  readonly peering: Peering;
  /** null: in a run without lists of members. */
  readonly lists: MemberLists | null;
  readonly ports: Harbour;
  readonly isAlive: () => boolean;
  /** Whether it serves and is level with a member. */
  readonly isLive: boolean;
  /** Whether entries are on their way to its disk. */
  readonly isStoring: boolean;
  die(isSilent: boolean): void;
  /** null: it is not ready to hear anybody. */
  readonly front: Front | null;
  /** Ids of envelopes that it has taken first-hand. */
  readonly taken: ReadonlySet<ByteString>;
}

/** A machine of a run: its disk, its clock, its place in the network, and the daemon on it. */
export interface Host {
  readonly name: string;
  readonly disk: Disk;
  /** Its processor; anew with each process. */
  readonly processor: Processor;
  /** Milliseconds that its clock is ahead. */
  clockOffset: number;
  /** Of its configuration. */
  readonly tail: Settings["tails"][number];
  /** null: nothing runs on it. */
  readonly daemon: Daemon | null;
  /** Of the data folder. */
  readonly identity: SimulatedIdentity;
  /** Highest watermark that the data folder's daemon has told anybody. */
  told: number;
  /** Ids of envelopes that its daemons have taken first-hand. */
  readonly taken: Set<ByteString>;
  /** Chance to crash at a moment of the disk. */
  crashAtDisk: number;
  /** Whether it has turned bad: nothing that it says counts. */
  readonly isByzantine: boolean;
  /** How the data folder began; null: it has not begun, or before anybody had said anything. */
  beginning: Beginning | null;
  /** Whether the data folder's daemon has been live, and has told a watermark. */
  hasServed: boolean;
  /** When a process of it was last live; milliseconds of the run, -Infinity: none was. */
  liveAt: number;
  /** Id of the member whose snapshot its operator has its next process take over; null: of none. */
  order: ByteString | null;
  clock(): number;
  start(): void;
  /** The process ends at once. @param isSilent  the whole machine: nobody closes its connections */
  kill(reason: string, isSilent?: boolean): void;
  restartAfter(delay: number): void;
  /** The data folder is gone, and with it the daemon's key. */
  wipe(): void;
  /** A client's envelope has arrived. */
  take(
    entry: Entry,
    wait: Wait | undefined,
    answered: (answer: EnvelopeAnswer, daemon: Daemon) => void,
  ): void;
  /** A command without a signature has arrived. */
  write(argv: readonly ByteString[]): void;
  script(calls: readonly (readonly ByteString[])[]): void;
  /** Whether a place's entry is on the disk and sound. */
  keeps(place: ByteString): boolean;
  /** Whether it is so also when the machine loses its power. */
  keepsForSure(place: ByteString): boolean;
  /** How many data folders of this host an entry has ever reached. */
  foldersWith(place: EntryPlace): number;
}

/** What a member that has turned bad does in its own way. */
export interface Misbehaviour {
  /** With which its timeline begins. */
  readonly genesis: Genesis;
  /** @returns what goes out in place of a frame */
  says(frame: Buffer, to: string): readonly Buffer[];
  tick(timeline: Timeline): void;
}

export interface World {
  /** Whether operators have left the member out that has turned bad. */
  isBadOut: boolean;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly network: Network;
  readonly settings: Settings;
  readonly genesis: Genesis;
  readonly hosts: readonly Host[];
  /** Those that have not turned bad, and that each list names that no other comes after. */
  readonly honest: readonly Host[];
  /** Those lists, as far as they were signed and are not lost. */
  heads: readonly KnownList[];
  readonly ledger: Ledger;
  /** A line of the trace, made only if somebody reads it. */
  readonly trace: (who: string, what: () => string) => void;
}
