/** All bounds of the exchange between members, with unit and reason. Times are milliseconds. */

import { LIMITS } from "../../../options/limits.js";
import type { Settings } from "../../../options/settings.js";
import { ENTRIES_MAX, PLACES_MAX } from "../../../protocol/members/member-packing.js";

const KIB = 1024;
const MIB = 1024 * KIB;

export const PEERING_LIMITS = {
  /** The maximum age of envelopes from clients (--window). */
  past: 30_000,
  /**
   * Bytes of an entry: the highest possible --max-request-bytes, plus what a gateway adds. It is the same for all
   * daemons, however they were started: an entry that one daemon has accepted must be acceptable to all others.
   */
  maxEnvelopeBytes: LIMITS.maxRequestBytes.max + MIB,
  /** The time for a connection's hellos, challenges and proofs. The other side may be silent, or not be a member. */
  handshakeMs: 5_000,
  /**
   * Incoming connections that are not authenticated; the oldest are closed in favor of newer ones. For one IPv4
   * address, or 64 bits of an IPv6 address, the limit is twice the number of connections that the system passes on
   * together, because as many may arrive between a member's hello and its proof.
   */
  maxHandshakes: 4096,
  maxHandshakesOfAddress: 2048,
  statusEveryMs: 2_000,
  /** The interval between two reports of a daemon about itself. */
  aboutEveryMs: 2_000,
  /**
   * The maximum number of ticks between two offers to a member that has recently requested none of the offered entries.
   */
  offerTicksMax: 8,
  /**
   * A connection over which nothing arrives for this time counts as dead. A member sends five statuses in this time.
   */
  silenceMs: 10_000,
  /**
   * If the time between two ticks is longer, this process stood still (--standstill), and members are not at fault for
   * their silence.
   */
  standstillMs: LIMITS.standstill.fallback,
  /** The longest wait before reconnecting, and the longest wait after the first failure. */
  reconnectMaxMs: 15_000,
  reconnectFirstMs: 250,
  /** After a connection that lasted this long, the next attempt is made immediately. */
  goodConnectionMs: 10_000,
  /** A daemon that reaches no member serves alone after this time. */
  catchUpMs: 10_000,
  /** A daemon serves after this time if its members send no new entries, although the comparison is not complete. */
  catchUpStuckMs: 30_000,
  /**
   * A daemon serves after this time if it has compared itself with most of the cluster, even if the remaining members
   * still send new entries.
   */
  catchUpMaxMs: 600_000,
  /** Order keys in one message. */
  maxPlaces: PLACES_MAX,
  /** Pending entries that a member has requested; further ones are left to reconciliation. */
  maxRequested: 100_000,
  /** Entries that this daemon has requested and not received. */
  maxRequests: 200_000,
  /** A request that is not answered in this time is sent to another member. */
  requestMs: 3_000,
  /** Bytes of one push, which are verified and stored in one step. A longer entry is sent alone. */
  batchBytes: 64 * KIB,
  batchEntries: ENTRIES_MAX,
  /** Bytes of pushes in flight that a member has not acknowledged. */
  windowBytes: MIB,
  /** A member that does not read receives neither offers nor pushes while more than this number of bytes are unsent. */
  maxUnsentBytes: 4 * MIB,
  /**
   * Unsent bytes, without those of pushes, above which the member's connection is closed. `windowBytes` limits pushes.
   */
  closeAboveUnsentBytes: 64 * MIB,
  /** Bodies that wait to be pushed without a request; further ones are offered. */
  maxAtOnceBytes: 4 * MIB,
  /** Smaller pushes are not worth deflating; larger ones would block the event loop. */
  deflateFromBytes: 4 * KIB,
  deflateMaxBytes: MIB,
  /** Bytes of messages that wait for a member, and of unchecked messages that it sent (--max-relay-bytes). */
  relayBytes: LIMITS.maxRelayBytes.fallback,
  /** Unsent bytes above which messages wait: half of the bytes at which pushes wait. */
  relayUnsentBytes: 2 * MIB,
  /** How long messages wait for their signer's key, which is received as an entry. */
  relayKeyMs: 2_000,
  /** Envelopes whose signer is not known yet. */
  quarantineEntries: 10_000,
  quarantineBytes: 16 * MIB,
  quarantineMs: 60_000,
  /** Refused entries of one connection; an honest member has none. */
  maxRefusals: 100,
  /** How long connections of a member with too many refused entries are refused. */
  banMs: 15_000,
  reconcileMinMs: 4_000,
  reconcileMaxMs: 6_000,
  /** An exchange that has not ended after this time is abandoned. */
  reconcileMs: 60_000,
  /** Bytes of a part of a snapshot, and the number of parts that may be requested from a member at the same time. */
  snapshotPartBytes: 256 * KIB,
  snapshotParts: 4,
  /**
   * A member makes no progress if it sends less than this of a snapshot within `snapshotStuckMs`, unless less is left.
   */
  snapshotMinBytes: 64 * KIB,
  /**
   * A member that makes no progress for this time is replaced by another. After a failure the next attempt waits for
   * the same time.
   */
  snapshotStuckMs: 10_000,
  /** A snapshot is loaded only if no member has sent a missing entry for this time. */
  snapshotAfterMs: 3_000,
  /**
   * The longest time for which a member that has received a snapshot, and is not live, keeps the sender from pruning.
   */
  snapshotHoldMs: 600_000,
  /** For how long, and for how many entries, a daemon remembers which members have an entry. */
  replicationStateMs: 10_000,
  maxReplicationStates: 100_000,
  /** A daemon whose clock differs by more than this from the members' median accepts nothing from clients. */
  skewMs: 2_000,
  clockSampleMs: 20_000,
  /** The interval between two rounds of reports. */
  reportEveryMs: 2_000,
  /** The age at which an abandoned wait is dropped: callers limit their waiting themselves. */
  waitMaxMs: 120_000,
  /**
   * The time between two dates at which members compare their states, and the percentage of the time that comparing may
   * use (--compare-percent).
   */
  compareEveryMs: 15_000,
  comparePercent: LIMITS.comparePercent.fallback,
  /** The maximum duration of background work in one turn of the event loop. */
  sliceMs: 2,
} as const;

export type PeeringLimits = { readonly [Name in keyof typeof PEERING_LIMITS]: number };

/** Returns the limits with the values of the options. */
export const peeringLimits = ({ window, limits }: Settings): PeeringLimits => ({
  ...PEERING_LIMITS,
  past: window.past,
  relayBytes: limits.maxRelayBytes,
  comparePercent: limits.comparePercent,
  standstillMs: limits.standstill,
});

/** The maximum number of connected members: each has one bit of a number. */
export const MEMBERS_MAX = 31;
/**
 * The maximum number of connected members without a vote, because many ids may know the cluster's secret. It is lower
 * if the addresses of --peer need the slots.
 */
export const NON_VOTERS_MAX = 15;
