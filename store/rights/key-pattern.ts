/** Decides which keys a rule lets a command read and write. */
import type { ByteString } from "../../protocol/byte-string.js";
import { globMatches } from "../patterns/glob.js";
import type { Permission } from "../rows/key-spec.js";

export interface KeyPattern {
  readonly read: boolean;
  readonly write: boolean;
  readonly glob: ByteString;
}

/** Whether one of the patterns, by itself, gives the whole permission for a key; as Redis has it. */
export function allows(patterns: readonly KeyPattern[], key: ByteString, needs: Permission): boolean {
  return patterns.some((pattern) => gives(pattern, needs) && globMatches(pattern.glob, key));
}

/** The same for all keys that there may be. */
export function allowsAll(patterns: readonly KeyPattern[], needs: Permission): boolean {
  return patterns.some((pattern) => gives(pattern, needs) && pattern.glob === "*");
}

const ENDS_ON_ANYTHING = /(?<!\\)(?:\\\\)*\*$/;

/** The same for all keys that begin so. */
export function allowsBeginning(
  patterns: readonly KeyPattern[],
  beginning: ByteString,
  needs: Permission,
): boolean {
  return patterns.some((pattern) => gives(pattern, needs) && matchesBeginning(pattern.glob, beginning));
}

/** Whether a glob that ends with `*` has come there within the beginning, whatever follows. */
function matchesBeginning(glob: ByteString, beginning: ByteString): boolean {
  if (!ENDS_ON_ANYTHING.test(glob)) return false;
  const before = glob.slice(0, -1);
  for (let end = 0; end <= beginning.length; end++) {
    const text = beginning.slice(0, end);
    // Where `]` changes nothing a class is unfinished, so that the star is one of its characters.
    if (globMatches(before, text) && !globMatches(`${before}]`, text)) return true;
  }
  return false;
}

function gives({ read, write }: KeyPattern, needs: Permission): boolean {
  return (read || !needs.includes("R")) && (write || !needs.includes("W"));
}
