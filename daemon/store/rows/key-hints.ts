/**
 * The part of COMMAND's reply that describes keys in addition to their indexes: how each is used, in Redis's words, and
 * how its index is found. Most of it follows from the row; the exceptions are listed here. Source: redis-server 7.0,
 * test/conformance/command-table.test.ts.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Command } from "./command-row.js";
import { at, type FoundKeys, type KeySearch, type KeysBegin, range } from "./key-searches.js";
import { type KeyRange, permissionFor, type Touch, touchesOf } from "./key-spec.js";

export interface KeyHint {
  readonly flags: readonly string[];
  readonly begin: KeysBegin;
  readonly found: FoundKeys;
}

/** Returns a hint for each group of keys in a command's row. */
export function keyHints({ keys, keyFlags, keySearches }: Command): readonly KeyHint[] {
  const ranges = typeof keys === "function" ? [] : keys;
  const searches = keySearches ?? ranges.map(searchOf);
  return searches.map(([begin, found], i) => ({
    flags: keyFlags?.[i]?.split(" ") ?? derived(ranges[i]),
    begin,
    found,
  }));
}

function searchOf({ first, last, step }: KeyRange): KeySearch {
  return [at(first), range(last < 0 ? last : last - first, step)];
}

/** A key that a call names, and how it is used. */
export interface KeyUse {
  readonly key: ByteString;
  readonly flags: readonly string[];
}

/**
 * Returns the keys of a call in the order of the row. Flags that depend on the arguments follow from the permission.
 * @param argv the arguments of the call
 */
export function keyUses({ keys, keyFlags }: Command, argv: readonly ByteString[]): readonly KeyUse[] {
  const varies = keyFlags?.[0]?.includes("variable_flags") ?? false;
  if (typeof keys !== "function")
    return keys.flatMap((group, i) => usesOf(touchesOf([group], argv), keyFlags?.[i]));
  return usesOf(touchesOf(keys, argv), varies || keyFlags?.length !== 1 ? undefined : keyFlags[0]);
}

/** @param flags the flags of all keys; undefined if they follow from the permissions */
function usesOf(touches: readonly Touch[], flags: string | undefined): readonly KeyUse[] {
  return touches.flatMap((touch) =>
    touch.key === null ? [] : [{ key: touch.key, flags: flags?.split(" ") ?? derived(touch) }],
  );
}

/**
 * Returns the flags that follow from the permission: `access` if a key's data are returned, `update` if they may be
 * changed.
 */
function derived(use: KeyRange | Touch | undefined): readonly string[] {
  if (use === undefined) return [];
  const answers = permissionFor({ db: null, key: null, ...use }).includes("R");
  if (use.access === "read") return answers ? ["RO", "access"] : ["RO"];
  return answers ? ["RW", "access", "update"] : ["OW", "update"];
}
