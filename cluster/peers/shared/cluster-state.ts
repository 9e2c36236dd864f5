/** The record that Peering and its parts share, and the status of each member. */

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
import type { CloseCode } from "./close-reasons.js";
import { everybody } from "./electorate.js";
import type { Connect } from "./member-socket.js";
import type { MessageFigures } from "./message-figures.js";
import type { PeeringLimits } from "./peering-limits.js";

/**
 * The result of checking a member's envelope: verified and of this cluster; or here already; or to wait for; or
 * refused.
 */
export type CheckedEntry =
  | Entry
  | { readonly held: Place }
  | "unknown-signer"
  | "no-room"
  | { readonly refused: string };

/** The id of an entry whose signature was verified, and the SubjectPublicKeyInfo of the key. */
export interface ProvedEntry {
  readonly id: ByteString;
  readonly spki: ByteString;
}

/** The timeline, or the state of a stream, that already has entries. */
export interface Holder {
  /** On disk or not. */
  holds(place: Place): boolean;
  /** Whether one that it does not hold can be kept now. @param bytes  of body and signature */
  hasRoom(place: Place, bytes: number): boolean;
}

/**
 * @param timeline  asked before the signature is checked: what is here has been verified before
 * @param proved  what a thread has found of these bytes already
 */
export type CheckEntry = (
  body: Buffer,
  signature: Buffer,
  timeline: Holder,
  proved?: ProvedEntry | null,
) => CheckedEntry;

/** Threads that check signatures alongside the main thread. */
export interface SignatureThreads {
  /** Returns the results for entries, in order; null: none, so that `checkEntry` checks itself. Never rejects. */
  prove(entries: readonly PackedEntry[]): Promise<readonly (ProvedEntry | null)[]>;
  stop(): void;
}

/**
 * Takes an envelope of messages from a member: delivered to the subscribers here; known before; to wait for; or
 * refused, because no honest member would send it (`isLie`), or because it came too late, for example.
 */
export type HearMessages = (
  body: Buffer,
  signature: Buffer,
) => "delivered" | "known" | "unknown-signer" | { readonly refused: string; readonly isLie: boolean };

/** The secret that members have in common. */
export interface MemberSecret {
  /** Returns 32 bytes that only a member can make. */
  mac(bytes: Buffer): Buffer;
  /** Whether the maker of `mac` for these bytes knows the secret; in constant time. */
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
  /** Id of the member whose snapshot an operator has ordered to adopt; null: none. `Peering.setOrder` replaces it. */
  order: ByteString | null;
  /** The cluster's secret; null: there is none. `Peering.setSecret` replaces it. */
  secret: MemberSecret | null;
  /** Why a daemon of this id is no member; null: it is. Asked again and again, as keys are revoked and pins change. */
  readonly refusal: (id: ByteString, knowsSecret: boolean) => CloseCode | null;
  readonly verifySignature: (spki: ByteString, bytes: Buffer, signature: Buffer) => boolean;
  /** The buffers are views, and may be kept. */
  readonly checkEntry: CheckEntry;
  /** Absent or null: signatures are checked as their entries are read. */
  readonly signatureThreads?: SignatureThreads | null;
  /** Messages on channels; not there: this daemon takes none, as those of older versions. */
  readonly messages?: {
    readonly hear: HearMessages;
    /** Messages of other members may be missing here. */
    readonly missed: () => void;
  };
  /** Makes this daemon's report of itself; absent: none, as in older versions. */
  readonly about?: () => MemberAbout;
  /** Absent: this daemon knows none, as in older versions. */
  readonly lists?: MemberLists;
  /** SHA-256, 32 bytes. */
  readonly hash: (bytes: Buffer) => ByteString;
  readonly connect: Connect;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  /** Milliseconds; never jumps. */
  readonly uptime: () => number;
  /** Returns a number of at least 0 and below 1. */
  readonly random: () => number;
  /** Unguessable. */
  readonly randomBytes: (count: number) => ByteString;
  /** Runs a step in a later turn of the event loop. */
  readonly soon: (step: () => void) => void;
  readonly log: PeeringLog;
  readonly limits: PeeringLimits;
}

/** A connected and authenticated member, as all parts use it. */
export interface ConnectedMember {
  readonly id: ByteString;
  /** Its bit in sets of members. */
  readonly bit: number;
  readonly connection: {
    /** Where it is, for the log. */
    readonly remote: string;
    /** Features that it says it knows. */
    readonly knows: ReadonlySet<string>;
    readonly unsentBytes: number;
    send(message: OwnMessage): void;
  };
  /** Its last; null: none yet. */
  readonly status: StatusMessage | null;
  /** Whether everything that the member had is here, as of a moment when it was live, or in another state; null: not yet. */
  readonly compared: "live" | "other" | null;
  readonly isCatchingUp: boolean;
}

/** The state that the parts of peering share: a record passed to each of them. A field says which part writes it. */
export interface ClusterState<Member extends ConnectedMember = ConnectedMember> extends PeeringContext {
  /** Log lines that are not repeated. */
  readonly notices: LogThrottle;
  /** Long work, in slices. */
  readonly slices: Turns;
  /** Connected and proven, by id. The roster's. */
  readonly members: Map<ByteString, Member>;
  /** The addresses of --peer, and the id that was proved last at each. Roster sets it. */
  addresses: readonly { readonly id: ByteString | null; readonly isSelf: boolean }[];
  /** This daemon's state as of the last tick. CatchingUp sets it, and the next three. */
  state: DaemonState;
  /** Daemons, this one included, as of the last tick. */
  size: number;
  /** Whether it began with nothing, and has not served since: before that it reports no watermark, a restart or not. */
  beganEmpty: boolean;
  /** When it was last in another state than catching up, or began; `uptime` milliseconds. */
  settledAt: number;
  /** When catching up began, or a member last sent something new; `uptime` milliseconds. */
  progressAt: number;
  /** Messages on channels between members, since the start. */
  readonly messageFigures: MessageFigures;
}

/**
 * Yields members that have sent a status: before that they accept no long messages. What they miss is found by
 * comparison.
 */
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

/** Asks all connected members for the totals of their entries up to a date. */
export function askAll(cluster: ClusterState, at: number): void {
  for (const { connection } of listening(cluster)) connection.send({ kind: "report-request", at });
}

/** Whether all configured members are connected, or have had time to connect. */
export function isEverybodyHere(cluster: ClusterState, now: number): boolean {
  const { addresses, lists, members, settledAt, limits } = cluster;
  return everybody(addresses, lists?.others ?? null, members) !== null || now - settledAt > limits.catchUpMs;
}

/** A member for `dbsync status` and metrics. Times are milliseconds; null: not known. */
export interface MemberStatus {
  /** The address of --peer, or the one that it connected from; empty: the list names it, and no address leads to it. */
  readonly address: string;
  /** 32 bytes. */
  readonly id: ByteString | null;
  /** The state of the connection; "self": the address is this daemon's own. */
  readonly connection: "connected" | "connecting" | "waiting" | "self";
  /** Why there is no connection. */
  readonly trouble: string | null;
  /** The state that the member reports. */
  readonly state: DaemonState | null;
  /** Whether it finds its own clock off. */
  readonly skewed: boolean;
  /** The time by this daemon's clock. */
  readonly connectedSince: number | null;
  readonly roundTrip: number | null;
  /** How far its clock is ahead of this daemon's. */
  readonly skew: number | null;
  readonly watermark: number | null;
  /** The date up to which it has pruned all entries; 0: none. */
  readonly prunedTo: number | null;
  /** Whether entries are missing here that it has pruned: it cannot send them. */
  readonly isLacking: boolean;
  /** Entries it holds. */
  readonly entries: number | null;
  /** Whether it holds the same as this daemon, as of its last status. */
  readonly isEqual: boolean | null;
  /** Entries that were requested from it and not received. */
  readonly lag: number;
  /** Entries that wait to be pushed to it or are on the way, roughly. */
  readonly behind: number;
  /** Milliseconds since it last sent something. */
  readonly lastHeard: number | null;
  /** Entries of it that were refused on this connection. */
  readonly refusals: number;
  /** Its report of itself; null: none yet. */
  readonly about: MemberAbout | null;
}
