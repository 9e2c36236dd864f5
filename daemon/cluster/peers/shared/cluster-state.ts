/** The record that Peering and its components share, and the status of each member. */

import type { ByteString } from "../../../../protocol/byte-string.js";
import type { CloseCode } from "../../../../protocol/figures/close-reasons.js";
import type { MessageFigures } from "../../../../protocol/figures/message-figures.js";
import type { PackedEntry } from "../../../../protocol/members/member-elements.js";
import type { MemberAbout, OwnMessage, StatusMessage } from "../../../../protocol/members/member-messages.js";
import type { ChannelKind } from "../../../../protocol/members/subscriber-counts.js";
import { type Envelope, hexOf } from "../../../../protocol/version-2/envelope.js";
import type { DaemonState } from "../../../../protocol/version-2/messages-v2.js";
import type { BackgroundWork } from "../../../net/process/background-work.js";
import type { LogThrottle } from "../../../net/process/log-throttle.js";
import type { PeerAddress } from "../../../options/peer-address.js";
import type { Entry, OrderKey } from "../../../timeline/entries/entry.js";
import type { Timeline } from "../../../timeline/timeline.js";
import type { MemberLists } from "../../members/member-lists.js";
import { allMembersIfConnected, type Electorate } from "./electorate.js";
import type { Connect } from "./member-socket.js";
import type { NamedDaemon } from "./named-daemon.js";
import type { PeeringLimits } from "./peering-limits.js";

/** Why an entry has to wait: its signer's key, or the member list that has made a decision, is not known here. */
export type Missing = "unknown-signer" | "unknown-list";

/**
 * The result of checking an envelope from a member. The envelope is a verified entry of this cluster, is already stored
 * here, has to wait, or is refused.
 */
export type CheckedEntry =
  | Entry
  | { readonly stored: OrderKey }
  | Missing
  | "no-room"
  | { readonly refused: string };

/** The id of an entry whose signature was verified, and the SubjectPublicKeyInfo of the key. */
export interface ProvedEntry {
  readonly id: ByteString;
  readonly spki: ByteString;
}

/** The timeline, or the state of a stream, that entries are compared with. */
export interface Holder {
  /** Whether the entry is present, on disk or not. */
  holds(orderKey: OrderKey): boolean;
  /** Whether an entry that is not present can be stored now. @param bytes  the bytes of its body and signature */
  hasRoom(orderKey: OrderKey, bytes: number): boolean;
}

/**
 * @param timeline  looked up before the signature is verified, because the entries that it contains were verified
 * before
 * @param proved  the result of another thread's signature check for these bytes, if there is one
 */
export type CheckEntry = (
  body: Buffer,
  signature: Buffer,
  timeline: Holder,
  proved?: ProvedEntry | null,
) => CheckedEntry;

/**
 * Whether this daemon has already verified the signature of the envelope with that id, because a client sent the
 * envelope before.
 */
export type IsVerified = (id: ByteString, signature: Buffer) => boolean;

/** Threads that check signatures alongside the main thread. */
export interface SignatureThreads {
  /**
   * Returns the result for each entry, in order; null means that `checkEntry` has to verify the signature itself. Never
   * rejects.
   */
  prove(entries: readonly PackedEntry[]): Promise<readonly (ProvedEntry | null)[]>;
  stop(): void;
}

/**
 * Receives an envelope of messages from a member. The envelope is delivered to the subscribers here, is already known,
 * has to wait for its signer's key, or is refused, for example because it is too old. `isLie` means that no honest
 * member would send it.
 */
export type DeliverMessage = (
  body: Buffer,
  signature: Buffer,
) => "delivered" | "known" | "unknown-signer" | { readonly refused: string; readonly isLie: boolean };

/** This daemon's own subscribers of channels. */
export interface OwnSubscribers {
  /** Returns the channels or patterns with subscribers. Names that are added during the iteration are included. */
  names(kind: ChannelKind): Iterable<ByteString>;
  subscribersOf(kind: ChannelKind, name: ByteString): number;
}

/** The secret that members have in common. */
export interface MemberSecret {
  /** Returns 32 bytes that only a member can make. */
  mac(bytes: Buffer): Buffer;
  /** Whether `mac` was made for these bytes with the secret. Compares in constant time. */
  holds(bytes: Buffer, mac: Buffer): boolean;
}

/**
 * Whether a daemon belongs to a cluster, with its data folder: it has compared its entries with a member's, or it has
 * served clients while it had no peers. Null: neither.
 */
export type Admitted = "compared" | "alone" | null;

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
  /**
   * The id of the member whose snapshot an operator has ordered this daemon to adopt, or null if there is none. Set by
   * `Peering.setOrder`.
   */
  order: ByteString | null;
  /** Whether this daemon was admitted before this start. `Admission` has the current value. */
  readonly admitted: Admitted;
  /** The cluster's secret, or null if there is none. Set by `Peering.setSecret`. */
  secret: MemberSecret | null;
  /**
   * Returns why the daemon with this id is not a member, or null if it is. Called repeatedly, because keys may be
   * revoked and pins may change.
   */
  readonly refusal: (id: ByteString, knowsSecret: boolean) => CloseCode | null;
  readonly verifySignature: (spki: ByteString, bytes: Buffer, signature: Buffer) => boolean;
  /** Checks an entry. The buffers are views, and may be kept. */
  readonly checkEntry: CheckEntry;
  /**
   * Checks a client's envelope that members are to decide.
   * @returns null if it is not valid, or its signer is unknown
   */
  readonly checkUnit: (
    unit: PackedEntry,
    isVerified: IsVerified,
  ) => { readonly id: ByteString; readonly envelope: Envelope } | null;
  /** The threads that check signatures, or null if signatures are checked as their entries are read. */
  readonly signatureThreads: SignatureThreads | null;
  /** The channel messages, or null if none are exchanged. */
  readonly messages: {
    readonly deliver: DeliverMessage;
    /** Called when messages from other members may be missing here. */
    readonly missed: () => void;
    readonly subscribers: OwnSubscribers;
  } | null;
  /** Creates this daemon's report about itself; null: it sends none. */
  readonly about: (() => MemberAbout) | null;
  /** The daemon that sentinels name; null: this daemon takes no part in the choice. */
  readonly named: NamedDaemon | null;
  /** The member lists, or null if the members follow only from --peer. */
  readonly lists: MemberLists | null;
  /** SHA-256, 32 bytes. */
  readonly hash: (bytes: Buffer) => ByteString;
  readonly connect: Connect;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  /** Milliseconds; never jumps. */
  readonly uptime: () => number;
  /** Returns a number of at least 0 and below 1. */
  readonly random: () => number;
  /** Returns unpredictable bytes. */
  readonly randomBytes: (count: number) => ByteString;
  /** Runs a step of background work in a later turn of the event loop. */
  readonly soon: (step: () => void) => void;
  /** Runs a step for which clients wait in the next turn of the event loop, after what has arrived in this one. */
  readonly nextTurn: (step: () => void) => void;
  readonly log: PeeringLog;
  readonly limits: PeeringLimits;
}

/** A connected and authenticated member, as all components use it. */
export interface ConnectedMember {
  readonly id: ByteString;
  /** Its bit in sets of members. */
  readonly bit: number;
  readonly connection: {
    /** Its address, for the log. */
    readonly remote: string;
    readonly unsentBytes: number;
    send(message: OwnMessage): void;
  };
  /** Its last status, or null if there is none yet. */
  readonly status: StatusMessage | null;
  /** The milliseconds of the last round trip, or null if it is unknown. */
  readonly roundTrip: number | null;
  /**
   * The member's state when the comparison with it was completed, or null if no comparison is complete yet. After the
   * comparison this daemon has all entries that the member had at that time.
   */
  readonly compared: "live" | "other" | null;
  readonly isCatchingUp: boolean;
  /** The number of the next part of the snapshot that it is receiving from this daemon; null: none. */
  readonly snapshotPart: number | null;
}

/** The state that the components of peering share. Each field names the component that writes it. */
export interface ClusterState<Member extends ConnectedMember = ConnectedMember> extends PeeringContext {
  /** The log without repeated lines. */
  readonly notices: LogThrottle;
  /** Long work, done in slices. */
  readonly slices: BackgroundWork;
  /** Authenticated members by id. Roster sets it. */
  readonly members: Map<ByteString, Member>;
  /** The addresses of --peer, and the id that was proved last at each. Roster sets it. */
  addresses: readonly {
    readonly name: string;
    readonly id: ByteString | null;
    readonly isSelf: boolean;
    readonly isUnlisted: boolean;
    readonly hasOtherList: boolean;
  }[];
  /** This daemon's state as of the last tick. CatchingUp sets this field and the next three. */
  state: DaemonState;
  /** The members that vote, as of the last tick. */
  electorate: Electorate;
  /**
   * Whether this daemon began without data, and has not served since. It reports no watermark before it serves, even
   * after a restart.
   */
  beganEmpty: boolean;
  /** When this daemon was last in a state other than catching up, or was started; `uptime` milliseconds. */
  settledAt: number;
  /** When catching up began, or a member last sent new entries; `uptime` milliseconds. */
  progressAt: number;
  /** The counts of channel messages between members, since the start. */
  readonly messageFigures: MessageFigures;
}

/**
 * Yields the members that have sent a status. Before its first status a member accepts no long messages; a later
 * comparison finds the entries that such a member is missing.
 */
export function* membersWithStatus<Member extends ConnectedMember>({
  members,
}: ClusterState<Member>): Generator<Member> {
  for (const member of members.values()) if (member.status !== null) yield member;
}

/** Returns the fields by which log lines name a member. */
export const factsOf = ({
  id,
  connection,
}: {
  readonly id: ByteString;
  readonly connection: { readonly remote: string };
}) => ({ member: hexOf(id), address: connection.remote });

/** Whether all configured members are connected, or have had time to connect. */
export function haveMembersConnected(cluster: ClusterState, now: number): boolean {
  const { addresses, lists, members, settledAt, limits } = cluster;
  return (
    allMembersIfConnected(addresses, lists?.others ?? null, members) !== null ||
    now - settledAt > limits.catchUpMs
  );
}

/** Why there is no connection to a member. All are null if there is one, or none was tried yet. */
export interface Closing {
  /** The reason as a sentence, or the system's code. */
  readonly trouble: string | null;
  /**
   * The code of the reason; null if the connection failed, or the member gave a code that this version does not know.
   */
  readonly closeCode: CloseCode | null;
  /** Which side gives this reason, or null if the connection failed. */
  readonly closedBy: "daemon" | "member" | null;
}

export const NO_CLOSING: Closing = { trouble: null, closeCode: null, closedBy: null };

/** A member for `dbsync status` and metrics. Times are milliseconds, or null if unknown. */
export interface MemberStatus extends Closing {
  /**
   * The member's address in --peer, or the address from which it connected. An empty string if the list names the
   * member, but no address of it is known.
   */
  readonly address: string;
  /** 32 bytes. */
  readonly id: ByteString | null;
  /** The state of the connection; "self" means that the address is this daemon's own. */
  readonly connection: "connected" | "connecting" | "waiting" | "self";
  /** The state that the member reports. */
  readonly state: DaemonState | null;
  /** Whether the member reports that its own clock is off. */
  readonly skewed: boolean;
  /** When it connected, by this daemon's clock. */
  readonly connectedSince: number | null;
  readonly roundTrip: number | null;
  /** How far its clock is ahead of this daemon's. */
  readonly skew: number | null;
  readonly watermark: number | null;
  /** The date up to which it has pruned all entries, or 0 if it has pruned none. */
  readonly prunedTo: number | null;
  /** Whether this daemon is missing entries that the member has pruned and so cannot send. */
  readonly isMissingEntries: boolean;
  /** Whether clients that follow streams do not wait for it, because it has not closed its dates in time. */
  readonly isLeftOut: boolean;
  /** The number of the member's entries. */
  readonly entries: number | null;
  /** Whether the member had the same entries as this daemon when it sent its last status. */
  readonly isEqual: boolean | null;
  /** The number of entries that were requested from the member and not yet received. */
  readonly lag: number;
  /** The approximate number of entries that wait to be pushed to the member or are in flight. */
  readonly behind: number;
  /** Milliseconds since it last sent something. */
  readonly lastHeard: number | null;
  /** Milliseconds for which it has been away at least, or null if it is connected, or if they are unknown. */
  readonly awayFor: number | null;
  /** The number of the member's entries that were refused on this connection. */
  readonly refusals: number;
  /** Its last report about itself, or null if there is none yet. */
  readonly about: MemberAbout | null;
  /** Milliseconds since that report arrived. */
  readonly aboutAge: number | null;
}

/** For how long a member is not connected. */
export type Absence = Pick<MemberStatus, "lastHeard" | "awayFor">;
