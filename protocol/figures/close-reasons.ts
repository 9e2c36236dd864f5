import { MEMBERS_PROTOCOL } from "../version-2/messages-v2.js";

/**
 * The reasons why there is no connection between two daemons: a code, and a sentence for the logs of both. All but
 * `no-address` are sent when a connection is closed.
 */
export const CLOSE_REASONS = {
  "wrong-cluster":
    "It belongs to another cluster: start all daemons with the same --cluster-name, -s and --root-key.",
  self: "It is this daemon itself: this address of --peer has no effect here.",
  "not-pinned":
    "Its id is not the one after # in --peer: an attacker may intercept the connection, or its key is new.",
  "not-a-member":
    "Its key belongs to no daemon of this cluster: start both with the same --cluster-secret, or pin it with --peer " +
    "host:port#ed25519:<id>, or add it with CLUSTER ADD.",
  revoked:
    "Its key was revoked permanently: it no longer takes part. To run a daemon there again, start it with a new --data folder.",
  "left-out":
    "The list of members leaves it out permanently: it no longer takes part. To run a daemon there again, start it with a new --data folder, and add it with dbsync members add.",
  "not-listed":
    "The list of members does not name it: add it with dbsync members add, after dbsync members join if it has a list of its own.",
  "other-secret":
    "It has another --cluster-secret, or none: start all daemons of the cluster with the same file.",
  "no-peers":
    "It has no --peer, so it admits no member: name all daemons of the cluster in --peer on each of them.",
  "not-a-daemon":
    "It does not act as a member: start it with --peer or --data, not with --fsync never, and with the version that runs here.",
  "other-protocol": `It uses another protocol between members than number ${MEMBERS_PROTOCOL}, which runs here: install the same version on all daemons.`,
  "bad-proof": "It could not prove that it is the daemon that it claims to be.",
  "internal-error":
    "An error in the program prevented reading what it sent: please report this line, and that of the other daemon. Both daemons continue to serve.",
  malformed: "It sent bytes that are not a message between members.",
  duplicate: "The two daemons have another connection, which stays open.",
  "too-many-members":
    "There is no room for more members: name each daemon in --peer on all other ones, which reserves room for it.",
  "too-many-handshakes": "Too many connections are in their handshake.",
  "too-many-refused": "Too many of its entries were refused: its clock, keys or disk may be damaged.",
  contradicted:
    "It has signed two different states of one date: it is faulty or lies. Give it a new data folder.",
  "not-reading": "It does not read what is sent to it.",
  silent: "It was silent for too long.",
  stopping: "The daemon stops.",
  "no-address": "No address of --peer leads to it.",
} as const;

export type CloseCode = keyof typeof CLOSE_REASONS;

/**
 * The codes by which a daemon learns that it is not a member, so that the writes that it accepts reach no other member.
 * The daemon believes these codes only from an authenticated member.
 */
const MEMBERSHIP_CODES: ReadonlySet<CloseCode> = new Set(["revoked", "left-out", "not-listed"]);

export const isMembershipCode = (code: CloseCode): boolean => MEMBERSHIP_CODES.has(code);
