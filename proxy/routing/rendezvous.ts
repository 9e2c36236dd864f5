/**
 * Rendezvous: each server scores a key, the servers in the order of their scores are the key's. When one leaves, only its keys move, each to
 * the next of its own.
 */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";

/** The way a server scores a key: `even`, or as the original does, whose scores differ little where the servers' names do. */
export type Hash = "even" | "original";

export interface Named {
  readonly id: string;
}

const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/** @returns the best first; where scores are equal as they came */
export function rendezvous<Server extends Named>(
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

/** FNV-1a of 64 bits over UTF-16 units, as a signed number. Source: test/vectors/sql/GRAMMAR.md. */
function signedFnv1a(text: string): bigint {
  let sum = OFFSET;
  for (let i = 0; i < text.length; i++) sum = BigInt.asUintN(64, (sum ^ BigInt(text.charCodeAt(i))) * PRIME);
  return BigInt.asIntN(64, sum);
}

/** FNV-1a of 32 bits, then MurmurHash3's last step, by which each bit of the sum depends on each character. */
function mixed(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return (sum ^ (sum >>> 16)) >>> 0;
}
