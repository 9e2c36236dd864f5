/** What Peering is handed, what its parts know together, and what it tells of each member. */

import type { LogThrottle } from "../../../net/process/log-throttle.js";
import type { Turns } from "../../../net/process/turns.js";
import type { PeerAddress } from "../../../options/peer-address.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MemberAbout } from "../../../protocol/members/about-message.js";
import type { OwnMessage, StatusMessage } from "../../../protocol/members/member-messages.js";
import type { PackedEntry } from "../../../protocol/members/member-packing.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { DaemonState } from "../../../protocol/version-2/messages-v2.js";
import type { Entry, Place } from "../../../timeline/entries/entry.js";
import type { Timeline } from "../../../timeline/timeline.js";
import type { MemberLists } from "../../members/member-lists.js";
import { everybody } from "./electorate.js";
import type { FarewellCode } from "./farewells.js";
import type { Connect } from "./member-socket.js";
import type { MessageFigures } from "./message-figures.js";
import type { PeeringLimits } from "./peering-limits.js";

/** What a member's envelope is: verified and of this cluster; or here already; or to wait for; or not to be taken. */
export type CheckedEntry =
  | Entry
  | { readonly held: Place }
  | "unknown-signer"
  | "no-room"
  | { readonly refused: string };

/** Of an entry whose signature was found to hold by a key: its id, and the key's SubjectPublicKeyInfo. */
export interface ProvedEntry {
  readonly id: ByteString;
  readonly spki: ByteString;
}

/** What already has entries: a timeline, or the state of a stream. */
export interface Holder {
  /** On disk or not. */
  holds(place: Place): boolean;
  /** Whether one that it does not hold can be kept now. @param bytes  of body and signature */
  hasRoom(place: Place, bytes: number): boolean;
}

/**
 * @param timeline  asked before the signature is looked at: what is here has been verified before
 * @param proved  what a thread has found of these bytes already
 */
export type CheckEntry = (
  body: Buffer,
  signature: Buffer,
  timeline: Holder,
  proved?: ProvedEntry | null,
) => CheckedEntry;

/** Signatures that are checked beside the main thread. */
export interface SignatureThreads {
  /** What is found of entries, in their order; null: nothing, so that `checkEntry` looks itself. Never rejects. */
  prove(entries: readonly PackedEntry[]): Promise<readonly (ProvedEntry | null)[]>;
  stop(): void;
}

/**
 * What becomes of an envelope of messages that a member gives: told to whoever hears them here; known before; to wait for; or
 * refused, as no honest member would give it (`isLie`), or as it came too late, say.
 */
export type HearMessages = (
  body: Buffer,
  signature: Buffer,
) => "told" | "known" | "unknown-signer" | { readonly refused: string; readonly isLie: boolean };

/** What members know each other by that have it in common. */
export interface MemberSecret {
  /** 32 bytes that nobody else could make. */
  mac(bytes: Buffer): Buffer;
  /** Whether whoever made `mac` of these bytes knows it; in constant time. */
  holds(bytes: Buffer, mac: Buffer): boolean;
}

export interface PeeringLog {
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

export interface PeeringContext {
  readonly timeline: Timeline;
  readonly identity: {
    /** SHA-256 of `spki`. */
    readonly id: ByteString;
    /** SubjectPublicKeyInfo, DER. */
    readonly spki: ByteString;
    sign(bytes: Buffer): Buffer;
  };
  readonly cluster: ByteString;
  readonly peers: readonly PeerAddress[];
  /** Id of the member whose snapshot an operator has ordered to be taken over; null: of none. `Peering.setOrder` replaces it. */
  order: ByteString | null;
  /** The cluster's secret; null: there is none. `Peering.setSecret` replaces it. */
  secret: MemberSecret | null;
  /** Why a daemon of this id is no member; null: it is. Asked again and again, as keys are revoked and pins change. */
  readonly refusal: (id: ByteString, knowsSecret: boolean) => FarewellCode | null;
  readonly verifySignature: (spki: ByteString, bytes: Buffer, signature: Buffer) => boolean;
  /** The buffers are views, and may be kept. */
  readonly checkEntry: CheckEntry;
  /** Not there, or null: signatures are checked as their entries are read. */
  readonly signatureThreads?: SignatureThreads | null;
  /** Messages on channels; not there: this daemon takes none, as those of older versions. */
  readonly messages?: {
    readonly hear: HearMessages;
    /** Some of other members may not have been heard here. */
    readonly missed: () => void;
  };
  /** What this daemon reports of itself; not there: nothing, as those of older versions. */
  readonly about?: () => MemberAbout;
  /** Not there: this daemon knows none, as those of older versions. */
  readonly lists?: MemberLists;
  /** SHA-256, 32 bytes. */
  readonly hash: (bytes: Buffer) => ByteString;
  readonly connect: Connect;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  /** Milliseconds; never jumps. */
  readonly uptime: () => number;
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Unguessable. */
  readonly randomBytes: (count: number) => ByteString;
  /** Runs a step in a later turn of the event loop. */
  readonly soon: (step: () => void) => void;
  readonly log: PeeringLog;
  readonly limits: PeeringLimits;
}

/** A member that is connected and has proved who it is, as all parts know it. */
export interface ConnectedMember {
  readonly id: ByteString;
  /** Stands for it in sets of members. */
  readonly bit: number;
  readonly connection: {
    /** Where it is, for the log. */
    readonly remote: string;
    /** What it says that it knows. */
    readonly knows: ReadonlySet<string>;
    readonly unsentBytes: number;
    send(message: OwnMessage): void;
  };
  /** Its last; null: none yet. */
  readonly status: StatusMessage | null;
  /** Whether what it holds is here, as of a moment when it was live, or in another state; null: not yet. */
  readonly compared: "live" | "other" | null;
  readonly isCatchingUp: boolean;
}

/** What the parts of peering know together: one record, which they are handed, and write to where it says so. */
export interface ClusterState<Member extends ConnectedMember = ConnectedMember> extends PeeringContext {
  /** Log lines that are not repeated. */
  readonly notices: LogThrottle;
  /** Long work, in slices. */
  readonly slices: Turns;
  /** Connected and proven, by id. The roster's. */
  readonly members: Map<ByteString, Member>;
  /** Those of --peer, and who proved to be there last. The roster's. */
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[];
  /** Of this daemon, as of the last tick. CatchingUp's, as the next three are. */
  state: DaemonState;
  /** Daemons, this one included, as of the last tick. */
  size: number;
  /** Whether it began with nothing, and has not served since: before that it tells no watermark, a restart or not. */
  beganEmpty: boolean;
  /** When it was last in another state than catching up, or began; `uptime` milliseconds. */
  settledAt: number;
  /** When catching up began, or a member last sent something new; `uptime` milliseconds. */
  progressAt: number;
  /** Messages on channels between members, since the start. */
  readonly messageFigures: MessageFigures;
}

/** Members that have said something: before that they take no long messages. What they miss comparing finds. */
export function* listening<Member extends ConnectedMember>({
  members,
}: ClusterState<Member>): Generator<Member> {
  for (const member of members.values()) if (member.status !== null) yield member;
}

/** How log lines name a member. */
export const factsOf = ({
  id,
  connection,
}: {
  readonly id: ByteString;
  readonly connection: { readonly remote: string };
}) => ({ member: hexOf(id), address: connection.remote });

/** Asks all that are connected what they hold up to a date. */
export function askAll(cluster: ClusterState, at: number): void {
  for (const { connection } of listening(cluster)) connection.send({ kind: "report-request", at });
}

/** Whether all that are configured are connected, or have had their time to come. */
export function isEverybodyHere(cluster: ClusterState, now: number): boolean {
  const { addresses, lists, members, settledAt, limits } = cluster;
  return everybody(addresses, lists?.others ?? null, members) !== null || now - settledAt > limits.catchUpMs;
}

/** For `dbsync status` and metrics. Times are milliseconds; null: not known. */
export interface MemberStatus {
  /** As in --peer, or where it connected from; empty: the list names it, and no address leads to it. */
  readonly address: string;
  /** 32 bytes. */
  readonly id: ByteString | null;
  /** Of the connection; "self": the address is this daemon's own. */
  readonly connection: "connected" | "connecting" | "waiting" | "self";
  /** Why there is no connection. */
  readonly trouble: string | null;
  /** What the member says of itself. */
  readonly state: DaemonState | null;
  /** Whether it finds its own clock off. */
  readonly skewed: boolean;
  /** By the own clock. */
  readonly connectedSince: number | null;
  readonly roundTrip: number | null;
  /** How far its clock is ahead of the own one. */
  readonly skew: number | null;
  readonly watermark: number | null;
  /** No entry dated at or before it is kept there any more; 0: all are. */
  readonly prunedTo: number | null;
  /** Whether entries lack here that it has pruned: it cannot give them. */
  readonly isLacking: boolean;
  /** Entries it holds. */
  readonly entries: number | null;
  /** Whether it holds the same as this daemon, as of its last status. */
  readonly isEqual: boolean | null;
  /** Entries asked of it that have not come. */
  readonly lag: number;
  /** Entries that wait to be pushed to it or are on the way, roughly. */
  readonly behind: number;
  /** Milliseconds since it was last heard. */
  readonly lastHeard: number | null;
  /** Entries of it that were refused on this connection. */
  readonly refusals: number;
  /** What it reports of itself; null: it has not. */
  readonly about: MemberAbout | null;
}
