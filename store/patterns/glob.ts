/** Redis's glob patterns on bytes: `*`, `?`, `[a-c]`, `[^a]`, `\` quotes. Source: redis-server 7.0, test/conformance. */
import type { ByteString } from "../../protocol/byte-string.js";

/**
 * Whether the whole of `text` matches. Takes time proportional to pattern × text at worst.
 * The empty text matches the empty pattern alone, as in Redis, whose commands take the pattern `*` by itself.
 */
export function globMatches(pattern: ByteString, text: ByteString): boolean {
  if (text === "") return pattern === "";
  let p = 0;
  let t = 0;
  /** Where to go on after the last star if the rest does not match. */
  let starP = -1;
  let starT = 0;
  for (;;) {
    if (p < pattern.length && pattern[p] === "*") {
      starP = ++p;
      starT = t;
      continue;
    }
    if (t === text.length) return p === pattern.length;
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
    if (next >= 0) {
      p = next;
      t++;
    } else if (starP >= 0) {
      p = starP;
      t = ++starT;
    } else {
      return false;
    }
  }
}

/** Matches one byte at a place of the pattern: the place behind, or -1. */
function matchOne(pattern: ByteString, at: number, byte: number): number {
  switch (pattern[at]) {
    case "?":
      return at + 1;
    case "[":
      return matchClass(pattern, at + 1, byte);
    case "\\":
      if (at + 1 < pattern.length) at++;
  }
  return pattern.charCodeAt(at) === byte ? at + 1 : -1;
}

/** An unfinished class ends with the pattern, as in Redis. */
function matchClass(pattern: ByteString, start: number, byte: number): number {
  let at = start;
  const negated = pattern[at] === "^";
  if (negated) at++;
  let found = false;
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) {
      at++;
      if (pattern.charCodeAt(at) === byte) found = true;
    } else if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      const from = pattern.charCodeAt(at);
      const to = pattern.charCodeAt(at + 2);
      if (byte >= Math.min(from, to) && byte <= Math.max(from, to)) found = true;
      at += 2;
    } else if (pattern.charCodeAt(at) === byte) {
      found = true;
    }
  }
  if (found === negated) return -1;
  return Math.min(at + 1, pattern.length);
}
