/** All limits of the exchange between members, with their units and reasons. Times are milliseconds. */

import { ENTRIES_MAX, ORDER_KEYS_MAX } from "../../../../protocol/members/member-elements.js";
import { REPORTED_BYTES_MAX, REPORTED_NAMES_MAX } from "../../../../protocol/members/subscriber-counts.js";
import { LIMITS } from "../../../options/limits.js";
import type { Settings } from "../../../options/settings.js";

const KIB = 1024;
const MIB = 1024 * KIB;

export const PEERING_LIMITS = {
  /** The maximum age of envelopes from clients (--window). */
  past: 30_000,
  /** How far such an envelope may be dated ahead of the clock (--window). */
  future: 5_000,
  /**
   * The maximum bytes of an entry: the highest possible --max-request-bytes, plus the bytes that a gateway adds. All
   * daemons have the same limit, regardless of their options, because an entry that one daemon has accepted must be
   * acceptable to all other daemons.
   */
  maxEnvelopeBytes: LIMITS.maxRequestBytes.max + MIB,
  /** The time for a connection's hellos, challenges and proofs. The other side may be silent, or not be a member. */
  handshakeMs: 5_000,
  /**
   * The maximum number of incoming connections that are not authenticated; above it, the oldest is closed in favor of
   * the newest. The limit for one IPv4 address, or for one 64-bit prefix of IPv6 addresses, is twice the length of the
   * system's queue of incoming connections: a full queue may be accepted between a member's hello and its proof.
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
   * If the time between two ticks is longer than this, this process stood still (--standstill), and the silence of
   * members does not count.
   */
  standstillMs: LIMITS.standstill.fallback,
  /** The maximum wait before reconnecting, and the maximum wait after the first failure. */
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
  /** The maximum number of order keys in one message. */
  maxOrderKeys: ORDER_KEYS_MAX,
  /**
   * The maximum number of entries that a member has requested and that are not sent yet. Further requests are ignored,
   * and reconciliation sends those entries.
   */
  maxRequested: 100_000,
  /** The maximum number of entries that this daemon has requested and not yet received. */
  maxRequests: 200_000,
  /** A request that is not answered in this time is sent to another member. */
  requestMs: 3_000,
  /** The maximum bytes of one push. An entry that is longer is pushed alone. */
  batchBytes: 64 * KIB,
  batchEntries: ENTRIES_MAX,
  /** The maximum bytes of pushes that a member has not acknowledged. */
  windowBytes: MIB,
  /** A member that does not read receives neither offers nor pushes while more than this number of bytes are unsent. */
  maxUnsentBytes: 4 * MIB,
  /**
   * A member's connection is closed if more than this number of bytes are unsent, not counting pushes, which
   * `windowBytes` limits.
   */
  closeAboveUnsentBytes: 64 * MIB,
  /** The maximum bytes of entries that wait to be pushed without a request. Further entries are offered instead. */
  maxUrgentBytes: 4 * MIB,
  /** After a connection begins, new entries wait at most this time for the entries that the member is missing. */
  missingFirstMs: 1_000,
  /** Smaller pushes are not worth deflating. Deflating pushes above `deflateMaxBytes` would block the event loop. */
  deflateFromBytes: 4 * KIB,
  deflateMaxBytes: MIB,
  /**
   * The maximum bytes of messages that wait to be sent to a member, and of messages from it that wait to be checked
   * (--max-relay-bytes).
   */
  channelMessageBytes: LIMITS.maxRelayBytes.fallback,
  /** Messages wait while more than this number of bytes are unsent. It is half of the limit for pushes. */
  channelMessageUnsentBytes: 2 * MIB,
  /** How long messages wait for their signer's key, which arrives in an entry. */
  channelMessageKeyMs: 2_000,
  /** The minimum interval between two reports of changed numbers of subscribers. */
  subscribersEveryMs: 100,
  /**
   * The maximum number of channels and patterns that a daemon reports to its members, and the maximum bytes of their
   * names. A member that reports more violates the protocol.
   */
  maxReportedNames: REPORTED_NAMES_MAX,
  maxReportedBytes: REPORTED_BYTES_MAX,
  /** The maximum number of stored envelopes whose signer is not known yet. */
  quarantineEntries: 10_000,
  quarantineBytes: 16 * MIB,
  quarantineMs: 60_000,
  /** The maximum number of refused entries on one connection. An honest member sends no entry that is refused. */
  maxRefusals: 100,
  /** How long connections of a member with too many refused entries are refused. */
  banMs: 15_000,
  reconcileMinMs: 4_000,
  reconcileMaxMs: 6_000,
  /** An exchange that has not ended after this time is abandoned. */
  reconcileMs: 60_000,
  /**
   * The bytes of one part of a snapshot, and the number of parts that may be requested from a member at the same time.
   */
  snapshotPartBytes: 256 * KIB,
  snapshotParts: 4,
  /**
   * A member that sends fewer bytes of a snapshot than this within `snapshotStuckMs` makes no progress, unless it has
   * sent the complete snapshot.
   */
  snapshotMinBytes: 64 * KIB,
  /**
   * A member that makes no progress for this time is replaced by another. After a failure the next attempt waits for
   * the same time.
   */
  snapshotStuckMs: 10_000,
  /** A snapshot is loaded only after no member has sent any missing entry for this time. */
  snapshotAfterMs: 3_000,
  /** The longest time for which the sender of a snapshot postpones pruning, while the receiver is not live yet. */
  snapshotHoldMs: 600_000,
  /** For how long, and for how many entries, a daemon remembers which members have an entry. */
  replicationStateMs: 10_000,
  maxReplicationStates: 100_000,
  /** A daemon whose clock differs by more than this from the members' median accepts nothing from clients. */
  skewMs: 2_000,
  clockSampleMs: 20_000,
  /**
   * A member that does not close a date in this time is left out: clients that follow streams no longer wait for it.
   */
  closeMs: 500,
  /** How far ahead of the clock a member may close this daemon's dates. */
  closeAheadMs: 2_000,
  /** The minimum time between two answers to one member that close dates further ahead than that. */
  closeFarMs: 50,
  /** The maximum number of unanswered requests to one member to close dates. */
  closeRequests: 256,
  /** How long after the last read of a follower members that were left out are requested to close dates. */
  followedMs: 10_000,
  /** The interval between two rounds of reports. */
  reportEveryMs: 2_000,
  /**
   * The time after which a wait is dropped. It only removes abandoned waits, because callers limit their own waiting
   * time.
   */
  waitMaxMs: 120_000,
  /**
   * The time between two dates at which members compare their states, and the percentage of the time that comparing may
   * use (--compare-percent).
   */
  compareEveryMs: 15_000,
  /** The upper limit for the time between two of these dates while nothing is written and the states are equal. */
  compareIdleMs: 405_000,
  comparePercent: LIMITS.comparePercent.fallback,
  /** The maximum duration of background work in one turn of the event loop. */
  sliceMs: 2,
} as const;

export type PeeringLimits = { readonly [Name in keyof typeof PEERING_LIMITS]: number };

/** Returns the limits with the values of the options. */
export const peeringLimits = ({ window, limits }: Settings): PeeringLimits => ({
  ...PEERING_LIMITS,
  past: window.past,
  future: window.future,
  channelMessageBytes: limits.maxRelayBytes,
  comparePercent: limits.comparePercent,
  standstillMs: limits.standstill,
});

/**
 * Milliseconds by which a client's envelope may be dated after the position at which the members place it. It is the
 * same for all members, whatever their windows are: after a pattern was removed, a daemon records no envelope that may
 * have been placed before.
 */
export const PLACED_AHEAD_MS = 5_000;

/**
 * Milliseconds by which a keeper may date a decision ahead of the members' median clock, as far as it knows that. It is
 * half of what the others accept, because the medians that the members know differ by some milliseconds.
 */
export const PROPOSED_AHEAD_MS = 125;

/** The maximum number of connected members: each has one bit of a number. */
export const MEMBERS_MAX = 31;
/**
 * The maximum number of connected members without a vote, because many ids may know the cluster's secret. It is lower
 * if the addresses of --peer need the slots.
 */
export const NON_VOTERS_MAX = 15;
