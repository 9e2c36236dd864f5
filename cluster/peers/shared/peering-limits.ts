/** Every bound of the exchange between members, with unit and reason. Times are milliseconds. */

import { LIMITS } from "../../../options/limits.js";
import type { Settings } from "../../../options/settings.js";
import { ENTRIES_MAX, PLACES_MAX } from "../../../protocol/members/member-packing.js";

const KIB = 1024;
const MIB = 1024 * KIB;

export const PEERING_LIMITS = {
  /** How far back first-hand envelopes are taken (--window). */
  past: 30_000,
  /**
   * Bytes of an entry: the most that --max-request-bytes can be anywhere, and what a gateway adds before it. The same
   * for all, however they were started: what one daemon has accepted every other one must accept.
   */
  maxEnvelopeBytes: LIMITS.maxRequestBytes.max + MIB,
  /** A connection's hellos, challenges and proofs; the other side may be silent or no member. */
  handshakeMs: 5_000,
  /**
   * Incoming connections that are not authenticated; the oldest are closed for newer ones. For one address, or 64
   * bits of one, twice as many as the system hands over together: that many may come between a member's hello and its
   * proof.
   */
  maxHandshakes: 4096,
  maxHandshakesOfAddress: 2048,
  statusEveryMs: 2_000,
  /** Between two reports of a daemon about itself. */
  aboutEveryMs: 2_000,
  /** Ticks between two offers to a member that has lately wanted nothing of what it was offered. */
  offerTicksMax: 8,
  /** Without a byte for that long, a connection is dead: five statuses. */
  silenceMs: 10_000,
  /**
   * With a longer time between two ticks this process stood still (--standstill), and no member is to blame for its
   * silence.
   */
  standstillMs: LIMITS.standstill.fallback,
  /** Reconnecting: the longest wait, and the longest after the first failure. */
  reconnectMaxMs: 15_000,
  reconnectFirstMs: 250,
  /** A connection that lasted that long was a good one: the next attempt is made immediately. */
  goodConnectionMs: 10_000,
  /** A daemon that reaches no member serves alone after that. */
  catchUpMs: 10_000,
  /** The same for a daemon whose members send nothing new although the comparison does not end. */
  catchUpStuckMs: 30_000,
  /** The same for a daemon that has been compared with most of the cluster, whatever the rest still sends. */
  catchUpMaxMs: 600_000,
  /** Places in one message. */
  maxPlaces: PLACES_MAX,
  /** Entries that a member requests and that wait; those beyond it are left to reconciliation. */
  maxRequested: 100_000,
  /** Entries that this daemon has asked for and not got. */
  maxRequests: 200_000,
  /** A want that is not answered is asked of another. */
  requestMs: 3_000,
  /** One push: that many bytes are verified and stored in one step. A longer entry goes alone. */
  batchBytes: 64 * KIB,
  batchEntries: ENTRIES_MAX,
  /** Pushes on the way to a member that it has not taken. */
  windowBytes: MIB,
  /** Bytes that the system has not taken: a member that does not read gets neither offers nor pushes. */
  maxUnsentBytes: 4 * MIB,
  /** Above that, in addition to pushes, which have a window, the member's connection is closed. */
  closeAboveUnsentBytes: 64 * MIB,
  /** Bodies that wait to be pushed unasked; beyond it they are offered. */
  maxAtOnceBytes: 4 * MIB,
  /** Smaller pushes are not worth deflating; larger ones would hold the event loop up. */
  deflateFromBytes: 4 * KIB,
  deflateMaxBytes: MIB,
  /** Bytes of messages that wait for a member, and of those that it sent and that are not checked (--max-relay-bytes). */
  relayBytes: LIMITS.maxRelayBytes.fallback,
  /** Bytes that the system has not taken, above which messages wait: half of what keeps pushes waiting. */
  relayUnsentBytes: 2 * MIB,
  /** How long messages wait for the key of their signer, which is received as an entry. */
  relayKeyMs: 2_000,
  /** Envelopes whose signer is not known yet. */
  quarantineEntries: 10_000,
  quarantineBytes: 16 * MIB,
  quarantineMs: 60_000,
  /** Refused entries of one connection; an honest member has none. */
  maxRefusals: 100,
  /** How long its connections are refused after that. */
  banMs: 15_000,
  reconcileMinMs: 4_000,
  reconcileMaxMs: 6_000,
  /** After that an exchange that has not ended is given up. */
  reconcileMs: 60_000,
  /** Bytes of a part of a snapshot, and how many parts may be requested from a member together. */
  snapshotPartBytes: 256 * KIB,
  snapshotParts: 4,
  /** A member that sends less of a snapshot in that time, or less than what is left, sends none. */
  snapshotMinBytes: 64 * KIB,
  /** A member that sends no part for that long is left for another; after any failure the next try comes as late. */
  snapshotStuckMs: 10_000,
  /** How long no member must have sent anything that is missing before a snapshot is taken. */
  snapshotAfterMs: 3_000,
  /** How long at most a member that has received a snapshot, and is not live, keeps the sender from pruning. */
  snapshotHoldMs: 600_000,
  /** How long, and for how many entries, it is remembered which members have them. */
  replicationStateMs: 10_000,
  maxReplicationStates: 100_000,
  /** A clock further off the members' median takes nothing first-hand. */
  skewMs: 2_000,
  clockSampleMs: 20_000,
  /** Between two rounds of reports. */
  reportEveryMs: 2_000,
  /** Callers bound their waiting themselves; this is when a forgotten one is dropped. */
  waitMaxMs: 120_000,
  /**
   * Between two dates of which members compare their states, and how much of the time that may take
   * (--compare-percent).
   */
  compareEveryMs: 15_000,
  comparePercent: LIMITS.comparePercent.fallback,
  /** Work between two turns of the event loop. */
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

/** Bits of a number: that many members can be distinguished. */
export const MEMBERS_MAX = 31;
/**
 * How many of them may have no vote: many ids can know the cluster's secret. Fewer, where the addresses of --peer
 * need the slots.
 */
export const NON_VOTERS_MAX = 15;
