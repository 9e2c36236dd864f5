/**
 * How two members prove to each other who they are: each signs, with its daemon's key, both names, both challenges, its
 * side, and what binds it to this very stream. Source: docs/protocol-v2.md "Members".
 */
import type { ByteString } from "../../protocol/byte-string.js";

const DOMAIN = "dbsync2\0member\0";

export type Side = "opener" | "answerer";

export interface Challenges {
  readonly cluster: ByteString;
  /** Ids and nonces of 32 bytes. */
  readonly opener: { readonly id: ByteString; readonly nonce: ByteString };
  readonly answerer: { readonly id: ByteString; readonly nonce: ByteString };
  /** TLS exporter; null: the stream is not encrypted. */
  readonly binding: Buffer | null;
}

/** The bytes that a side signs. All parts but the last have a fixed length. */
export function proofBytes({ cluster, opener, answerer, binding }: Challenges, side: Side): Buffer {
  const names = cluster + opener.id + answerer.id + opener.nonce + answerer.nonce;
  const sign = side === "opener" ? "\x01" : "\x02";
  return Buffer.concat([Buffer.from(DOMAIN + names + sign, "latin1"), binding ?? Buffer.alloc(0)]);
}

/** Why a connection is not one between members: code and sentence, for both logs. */
export const FAREWELLS = {
  "wrong-cluster":
    "It belongs to another cluster: start all daemons with the same --cluster-name, -s and --root-key.",
  self: "It is this daemon itself: leave its own address out of --peer.",
  "not-pinned": "Its id is not the one behind # in --peer: somebody may be in between, or its key is new.",
  "not-a-member":
    "Its key is none of this cluster's daemons': pin it with --peer host:port#ed25519:<id>, or CLUSTER ADD it.",
  "not-a-daemon":
    "It does not speak as a member: start it with --peer or --data, not with --fsync never, and a version that has them.",
  "bad-proof": "It could not prove that it is who it says.",
  malformed: "It sent bytes that are no message between members.",
  duplicate: "The two daemons have another connection, which is kept.",
  "too-many-members": "There are as many members as a daemon can tell apart.",
  "too-many-handshakes": "Too many connections are in their handshake.",
  "too-many-refused":
    "Too many of the entries that it gave were refused: its clock, keys or disk may be damaged.",
  "not-reading": "It does not take what is sent to it.",
  silent: "It was silent for too long.",
  stopping: "The daemon stops.",
} as const;

export type FarewellCode = keyof typeof FAREWELLS;
