/**
 * Redis counts whether a look-up for reading finds its key (hits and misses). A reading command counts all its
 * look-ups, and a writing command usually counts none. This table contains the writing commands that also count
 * look-ups, with the keys that they count. SET, the most frequent command, is not in it: with the option GET it counts
 * its look-up itself. Source: redis-server 7.0, the calls of lookupKeyRead.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { type KeySpec, touchesOf } from "./key-spec.js";

export type LookedUp = (keys: KeySpec, argv: readonly ByteString[]) => readonly ByteString[];

function touched(keys: KeySpec, argv: readonly ByteString[], access: readonly string[]): ByteString[] {
  const found: ByteString[] = [];
  for (const touch of touchesOf(keys, argv))
    if (touch.key !== null && access.includes(touch.access)) found.push(touch.key);
  return found;
}

const sources: LookedUp = (keys, argv) => touched(keys, argv, ["read"]);
const all: LookedUp = (keys, argv) => touched(keys, argv, ["read", "write"]);

function hasWord(argv: readonly ByteString[], from: number, words: RegExp): boolean {
  return argv.some((word, index) => index >= from && words.test(word));
}

const TABLE: Readonly<Record<string, LookedUp>> = {
  GETDEL: all,
  GETEX: all,
  GETSET: all,
  PFMERGE: all,
  XACK: all,
  XAUTOCLAIM: all,
  XCLAIM: all,
  BITFIELD: (keys, argv) => (hasWord(argv, 2, /^(set|incrby)$/i) ? [] : all(keys, argv)),
  ...Object.fromEntries(
    "BITOP COPY GEORADIUS GEORADIUSBYMEMBER GEOSEARCHSTORE SDIFFSTORE SINTERSTORE SORT SUNIONSTORE ZDIFFSTORE ZINTERSTORE ZRANGESTORE ZUNIONSTORE"
      .split(" ")
      .map((name) => [name, sources]),
  ),
};

/** Returns the look-up rule of a writing command, or null if the command looks up no keys for reading. */
export const lookedUpBy = (name: string): LookedUp | null => TABLE[name] ?? null;
