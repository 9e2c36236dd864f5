/**
 * Rendezvous hashing: each server has a score for a key, and the scores determine the order of the servers for that
 * key. When a server is removed, only its keys move, each to the next server in the key's order.
 */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";

/** The hash for scores: `even`, or `original`, which gives similar scores to servers with similar names. */
export type Hash = "even" | "original";

export interface WithId {
  readonly id: string;
}

const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/** Returns the servers ordered by score, highest first; servers with equal scores keep their order. */
export function rendezvous<Server extends WithId>(
  servers: readonly Server[],
  key: ByteString,
  hash: Hash,
): readonly Server[] {
  if (servers.length < 2) return servers;
  const text = textOfBytes(key);
  const scored = servers.map((server) => ({ server, score: scoreOf(`${text}|${server.id}`, hash) }));
  return scored
    .sort((one, other) => (one.score < other.score ? 1 : one.score > other.score ? -1 : 0))
    .map(({ server }) => server);
}

const scoreOf = (text: string, hash: Hash): bigint | number =>
  hash === "even" ? mixed(text) : signedFnv1a(text);

/** Computes 64-bit FNV-1a over UTF-16 units, as a signed number. Source: test/vectors/sql/GRAMMAR.md. */
function signedFnv1a(text: string): bigint {
  let sum = OFFSET;
  for (let i = 0; i < text.length; i++) sum = BigInt.asUintN(64, (sum ^ BigInt(text.charCodeAt(i))) * PRIME);
  return BigInt.asIntN(64, sum);
}

/** Computes 32-bit FNV-1a, followed by MurmurHash3's final step, which makes each bit depend on each character. */
function mixed(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return (sum ^ (sum >>> 16)) >>> 0;
}
