/**
 * Redis counts whether a look-up for reading finds its key (hits and misses). A reading command counts all its
 * look-ups, and a writing command usually counts none. The rows of writing commands that also count look-ups have one
 * of these rules in `lookedUp`. SET has none: with the option GET, it counts its look-up itself. Source: redis-server
 * 7.0, the calls of lookupKeyRead.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type KeySpec, touchesOf } from "./key-spec.js";

export type LookedUp = (keys: KeySpec, argv: readonly ByteString[]) => readonly ByteString[];

function touched(keys: KeySpec, argv: readonly ByteString[], access: readonly string[]): ByteString[] {
  const found: ByteString[] = [];
  for (const touch of touchesOf(keys, argv))
    if (touch.key !== null && access.includes(touch.access)) found.push(touch.key);
  return found;
}

export const sourcesLookedUp: LookedUp = (keys, argv) => touched(keys, argv, ["read"]);
export const allLookedUp: LookedUp = (keys, argv) => touched(keys, argv, ["read", "write"]);

function hasWord(argv: readonly ByteString[], from: number, words: RegExp): boolean {
  return argv.some((word, index) => index >= from && words.test(word));
}

/** Returns the keys of BITFIELD if it does not write. */
export const readBitsLookedUp: LookedUp = (keys, argv) =>
  hasWord(argv, 2, /^(set|incrby)$/i) ? [] : allLookedUp(keys, argv);
