/**
 * The proofs by which two members authenticate each other. A proof covers the protocol number, the cluster, the ids and the nonces of both
 * members, the side that sends the proof, and the binding to this particular stream. It consists of a signature with
 * the daemon's key and, if the daemon has the cluster's secret, a MAC with that secret. Source: docs/protocol-v2.md
 * "Members".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { writeFrame } from "../../../../protocol/frame.js";
import type { ProofMessage } from "../../../../protocol/members/member-messages.js";
import {
  MEMBERS_PROTOCOL,
  memberKnows,
  PROTOCOL,
  writeHello,
} from "../../../../protocol/version-2/messages-v2.js";
import type { ClusterState } from "../shared/cluster-state.js";

/** The beginning of every proof, with the number of the protocol that both sides announced in their hellos. */
const DOMAIN = `dbsync2\0members-${MEMBERS_PROTOCOL}\0`;

export type Side = "opener" | "answerer";

export interface Challenges {
  readonly cluster: ByteString;
  /** The ids and nonces have 32 bytes. */
  readonly opener: { readonly id: ByteString; readonly nonce: ByteString };
  readonly answerer: { readonly id: ByteString; readonly nonce: ByteString };
  /** The bytes of the TLS exporter, or null if the stream is not encrypted. */
  readonly binding: Buffer | null;
}

/** Returns the bytes that a side signs. All parts except the last have a fixed length. */
export function proofBytes({ cluster, opener, answerer, binding }: Challenges, side: Side): Buffer {
  const names = cluster + opener.id + answerer.id + opener.nonce + answerer.nonce;
  const sign = side === "opener" ? "\x01" : "\x02";
  return Buffer.concat([Buffer.from(DOMAIN + names + sign, "latin1"), binding ?? Buffer.alloc(0)]);
}

const NO_MAC = Buffer.alloc(0);

/** Signs the proof of one side. */
export function makeProof(
  challenges: Challenges,
  side: Side,
  { identity, secret }: ClusterState,
): ProofMessage {
  const bytes = proofBytes(challenges, side);
  const mac = secret?.mac(bytes) ?? NO_MAC;
  return { kind: "proof", spki: identity.spki, signature: identity.sign(bytes), mac };
}

/** Writes the first message of a member. */
export function helloOf({ identity, cluster, clock, state }: ClusterState): Buffer {
  const hello = {
    kind: "hello",
    versions: [PROTOCOL],
    daemon: identity.id,
    cluster,
    role: "daemon",
  } as const;
  const now = { clock: clock(), state, members: null, knows: memberKnows() };
  return Buffer.from(writeFrame(writeHello({ ...hello, ...now }), PROTOCOL), "latin1");
}
