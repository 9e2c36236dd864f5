/**
 * The interface of a daemon's members, for the components that record and answer. There are two implementations:
 * Peering (peering.ts), and NoMembers (no-members.ts) for a daemon without peers and without a member list.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MessageFigures } from "../../../protocol/figures/message-figures.js";
import type { DaemonState } from "../../../protocol/version-2/messages-v2.js";
import type { ClosedDates } from "../../engine/backends/command-path.js";
import type { CopyPeers } from "../../engine/backends/durable-copies.js";
import type { DecidedPattern } from "../../store/rights/decided-patterns.js";
import type { AddedEntry, Entry } from "../../timeline/entries/entry.js";
import type { DecisionFigures } from "./decisions/decision-figures.js";
import type { GiveUp } from "./decisions/decision-types.js";
import type { Undecided } from "./decisions/undecided.js";
import type { QuarantineFigures } from "./exchange/entry-intake.js";
import type { Delay } from "./finality/finality-delay.js";
import type { SnapshotProgress } from "./finality/snapshot-taking.js";
import type { OwnRemoval } from "./roster.js";
import type { Admitted, MemberStatus, Missing } from "./shared/cluster-state.js";
import type { StateDifference } from "./state/state-comparing.js";

export interface Members extends CopyPeers {
  /** Whether the peers admit this daemon. */
  readonly admission: {
    readonly admitted: Admitted;
    /**
     * Why every peer that answers refuses this daemon, and what to do; null if a peer admits it, or none has answered.
     */
    readonly refusalText: string | null;
    /** Whether this daemon must not accept writes. */
    readonly isRefused: boolean;
    /** Whether a daemon that is refused accepts these commands, because they may end the refusal. */
    accepts(commands: readonly (readonly ByteString[])[]): boolean;
    /**
     * Called before entries of clients, or decisions, are stored: a daemon that serves without peers is no longer new.
     */
    noteWrite(entries: readonly Entry[]): void;
  };
  /** The comparison of this daemon's state with the members' states. */
  readonly states: {
    readonly differences: { readonly all: readonly StateDifference[] };
    /** The last date at which this daemon has compared its state with a member's, or 0 if it never has. */
    readonly comparedAt: number;
  };
  /** The decisions of the members on conditional units. */
  readonly decisions: {
    /** Why the members have made no decision for some time, although one is required; null if they have. */
    readonly undecided: Undecided | null;
    /** What the members have decided, and what waits for a decision here. */
    readonly figures: DecisionFigures;
    /** The ids of the members that repeatedly prevent decisions without a benefit. */
    readonly disturbing: readonly ByteString[];
    /** How often this daemon has promised a ballot of another keeper, or of another round, since the start. */
    readonly keeperChanges: number;
    /** The ids of the members that have voted for two decisions in one ballot, since the start. */
    readonly contradicting: ReadonlySet<ByteString>;
    /** The ids of the members that have to answer before this daemon votes again, because it may have lost promises. */
    readonly missingPromises: readonly ByteString[];
    /**
     * Returns why a unit cannot wait here for a decision; null if it can, or waits here, or a proposal of it is known.
     * @param id  the id of the envelope
     * @param caller  the id of the key that has signed it
     * @param bytes  the length of its body
     * @param isOnlyHere  whether no other member receives it from the client
     */
    obstacle(id: ByteString, caller: ByteString, bytes: number, isOnlyHere: boolean): string | null;
    /** Whether a unit waits here, or a proposal of it is known, so that the members may decide on it. */
    isKnown(id: ByteString): boolean;
    /**
     * Passes a unit of a client to the members.
     * @param isOnlyHere  whether no other member receives it from the client
     */
    submit(entry: Entry, isOnlyHere: boolean, giveUp: GiveUp): void;
    /** The members' median clock, as far as this daemon knows it: milliseconds since 1970, an integer. */
    readonly commonClock: number;
    /** Whether the decision in a slot and all before it are part of the state, as far as this daemon knows. */
    hasAllUpTo(slot: number): boolean;
    /** The patterns of decided keys that were announced, have not begun, and may begin now. */
    readonly beginnings: { readonly ready: readonly DecidedPattern[] };
  };
  /** The channel messages. */
  readonly channelMessages: { readonly figures: Readonly<MessageFigures> };
  /** The dates that members have closed for clients that follow streams. */
  readonly closing: ClosedDates & {
    /** The number of times that a member was left out. */
    readonly gaps: number;
    /** Called when entries were added to the state. */
    folded(): void;
  };
  /** Whether the state may be stale although the daemon is live. */
  readonly standstill: { readonly mayBeStale: boolean; readonly isCutOff: boolean };
  /**
   * The loading of snapshots from members: the snapshot in transfer, and counts of adopted snapshots and lost entries.
   */
  readonly snapshots: {
    readonly progress: SnapshotProgress | null;
    readonly taken: number;
    readonly orphaned: number;
    readonly possiblyOrphaned: number;
  };
  readonly state: DaemonState;
  /** Why the daemon accepts no writes while it is catching up. */
  readonly reason: string;
  /** Whether no other daemon is configured or connected. */
  readonly isAlone: boolean;
  /**
   * Whether this daemon began without data, and does not yet know the earliest date from which it may accept entries.
   */
  readonly isJoining: boolean;
  /**
   * Whether this daemon's clock differs too much from the members' median: then no write is accepted from clients.
   * Computed at each access.
   */
  readonly isSkewed: boolean;
  /**
   * A member's report that this daemon's own key was revoked, or that no list names this daemon. Null if there is no
   * such report, or if another member accepts this daemon.
   */
  readonly removalReport: OwnRemoval["report"];
  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  readonly order: string | null;
  /** The date before which everything is final, or 0 if unknown. */
  readonly stablePoint: number;
  /** What the next final date waits for; null: nothing. */
  readonly finalityDelay: Delay | null;
  /** The addresses of --peer first, then other members that are connected, or that the list names. */
  readonly members: readonly MemberStatus[];

  start(): void;
  stop(): void;

  /** Called every 25 ms, or every 100 ms if there are no members. */
  tick(): void;

  /**
   * Allows or forbids the timeline to use this daemon's clock. The clock is not used while this daemon is catching up,
   * because it may not know the members' clocks yet. Also called before each tick of the timeline, because a clock may
   * jump at any time and the watermark can never be lowered.
   */
  watchClock(): void;

  /** Called when the member lists known here have changed, and again when they are on disk. */
  listsChanged(): void;

  /** Called when entries are on disk. @param from  the member that sent them, or null for clients */
  flushed(entries: readonly AddedEntry[], from: ByteString | null): void;

  /** Sends an entry that the daemon itself has signed: all members receive its body as soon as it is on disk. */
  pushOwn(entry: Entry): void;

  /** Resolves when everything dated at or before `at` is final. The caller limits the time. */
  stable(at: number): Promise<void>;

  /** Counts the members' entries that wait for a signer's key, or for a member list, and those that were dropped. */
  quarantined(missing: Missing): QuarantineFigures;

  /** SubjectPublicKeyInfo of a daemon's key, or null if no daemon has proved that it has that id. */
  spkiOf(id: ByteString): ByteString | null;
}
