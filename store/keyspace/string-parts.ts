/** Reads and changes parts of the string in a key's entry without building the complete string. */
import type { ByteString } from "../../protocol/byte-string.js";
import { DRAFT_BYTES_MIN, StringDraft } from "../values/string-draft.js";
import type { Entry } from "./keyspace.js";

export function holdsString({ held }: Entry): boolean {
  return typeof held === "string" || held instanceof StringDraft;
}

export function stringLength({ held }: Entry): number {
  return (held as ByteString | StringDraft).length;
}

/** Returns the bytes `from` ≤ index < `to`, limited to those that exist. @param from at least 0, like `to` */
export function stringPart({ held }: Entry, from: number, to: number): ByteString {
  return (held as ByteString | StringDraft).slice(from, to);
}

/**
 * Writes bytes from an offset on; zeros fill a gap after the end of the string. Appended bytes are concatenated lazily.
 * @param mayChain whether lazy concatenation is allowed: V8 copies the complete string when a part of it is read later
 */
export function patchString(entry: Entry, offset: number, bytes: ByteString, mayChain = true): void {
  const held = entry.held as ByteString | StringDraft;
  if (typeof held !== "string") held.patch(offset, bytes);
  else if (held.length < DRAFT_BYTES_MIN || (mayChain && offset >= held.length))
    entry.value = patched(held, offset, bytes);
  else {
    const draft = new StringDraft(held);
    draft.patch(offset, bytes);
    entry.held = draft;
  }
}

/** Reverts a patch. @param old the overwritten bytes @param length the string's previous length */
export function unpatchString(entry: Entry, offset: number, old: ByteString, length: number): void {
  if (old !== "") patchString(entry, offset, old);
  const held = entry.held as ByteString | StringDraft;
  if (typeof held === "string") entry.value = held.slice(0, length);
  else held.truncate(length);
}

/** Returns a string in which the bytes from an offset on are replaced. */
function patched(value: ByteString, offset: number, bytes: ByteString): ByteString {
  const head = value.length < offset ? value + "\0".repeat(offset - value.length) : value.slice(0, offset);
  return head + bytes + value.slice(offset + bytes.length);
}
