/** Why a connection is not one between members: code and sentence, for both logs. */
export const CLOSE_REASONS = {
  "wrong-cluster":
    "It belongs to another cluster: start all daemons with the same --cluster-name, -s and --root-key.",
  self: "It is this daemon itself: leave its own address out of --peer.",
  "not-pinned": "Its id is not the one after # in --peer: an attacker may be in between, or its key is new.",
  "not-a-member":
    "Its key is none of this cluster's daemons': start both with the same --cluster-secret, or pin it with --peer " +
    "host:port#ed25519:<id>, or CLUSTER ADD it.",
  revoked:
    "Its key was revoked permanently: it no longer takes part. To have a daemon there again, start it with a new --data folder.",
  "left-out":
    "The list of members leaves it out permanently: it no longer takes part. To have a daemon there again, start it with a new --data folder, and dbsync members add it.",
  "not-listed": "The list of members does not name it: dbsync members add it.",
  "other-secret":
    "It has another --cluster-secret, or none: start all daemons of the cluster with the same file.",
  "no-peers": "It has no --peer, and so lets no member in: name all daemons of the cluster at each of them.",
  "not-a-daemon":
    "It does not speak as a member: start it with --peer or --data, not with --fsync never, and a version that has them.",
  "bad-proof": "It could not prove that it is the daemon that it says.",
  "internal-error":
    "Reading what it sent failed by an error in the program: please report this line, and that of the other daemon. Both daemons serve on.",
  malformed: "It sent bytes that are no message between members.",
  duplicate: "The two daemons have another connection, which is kept.",
  "too-many-members":
    "There is no room for more members: name each daemon by --peer at all other ones, which reserves room for it.",
  "too-many-handshakes": "Too many connections are in their handshake.",
  "too-many-refused":
    "Too many of the entries that it gave were refused: its clock, keys or disk may be damaged.",
  contradicted: "It has signed two states of one date: it is broken or lies. Give it a new data folder.",
  "not-reading": "It does not take what is sent to it.",
  silent: "It was silent for too long.",
  stopping: "The daemon stops.",
} as const;

export type CloseCode = keyof typeof CLOSE_REASONS;

/** Codes by which a daemon learns that it accepts writes for nothing: it must learn that from an authenticated member. */
const MEMBERSHIP_CODES: ReadonlySet<CloseCode> = new Set(["revoked", "left-out", "not-listed"]);

export const isMembershipCode = (code: CloseCode): boolean => MEMBERSHIP_CODES.has(code);
