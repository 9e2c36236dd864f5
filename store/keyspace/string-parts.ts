/** Parts of the string in a key's entry, read and changed without making a string of all of it. */
import type { ByteString } from "../../protocol/byte-string.js";
import { DRAFT_BYTES_MIN, StringDraft } from "../values/string-draft.js";
import type { Entry } from "./keyspace.js";

export function holdsString({ held }: Entry): boolean {
  return typeof held === "string" || held instanceof StringDraft;
}

export function stringLength({ held }: Entry): number {
  return (held as ByteString | StringDraft).length;
}

/** Bytes `from` ≤ index < `to`, as far as there are any. @param from  at least 0, as is `to` */
export function stringPart({ held }: Entry, from: number, to: number): ByteString {
  return (held as ByteString | StringDraft).slice(from, to);
}

/**
 * Writes bytes from an offset on; zeros fill the gap where the string ends before. Appended bytes are chained.
 * @param mayChain  whether it may: the engine copies a chained string as a whole when a part of it is read
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

/** Reverts such a change. @param old  the overwritten bytes @param length  previous length of the string */
export function unpatchString(entry: Entry, offset: number, old: ByteString, length: number): void {
  if (old !== "") patchString(entry, offset, old);
  const held = entry.held as ByteString | StringDraft;
  if (typeof held === "string") entry.value = held.slice(0, length);
  else held.truncate(length);
}

/** Returns a string with some of its bytes replaced from an offset on. */
function patched(value: ByteString, offset: number, bytes: ByteString): ByteString {
  const head = value.length < offset ? value + "\0".repeat(offset - value.length) : value.slice(0, offset);
  return head + bytes + value.slice(offset + bytes.length);
}
