/** Reads and changes parts of the string in a key's entry without building the complete string. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { DRAFT_BYTES_MIN, StringDraft } from "../values/string-draft.js";
import type { Entry } from "./keyspace.js";

export function holdsString({ content }: Entry): boolean {
  return typeof content === "string" || content instanceof StringDraft;
}

export function stringLength({ content }: Entry): number {
  return (content as ByteString | StringDraft).length;
}

/** Returns the bytes `from` ≤ index < `to`, limited to those that exist. @param from at least 0, like `to` */
export function stringPart({ content }: Entry, from: number, to: number): ByteString {
  return (content as ByteString | StringDraft).slice(from, to);
}

/**
 * Writes bytes, starting at an offset; zeros fill a gap after the end of the string. Appended bytes are concatenated
 * lazily.
 * @param mayChain whether lazy concatenation is allowed: V8 copies the complete string when a part of it is read later
 */
export function patchString(entry: Entry, offset: number, bytes: ByteString, mayChain = true): void {
  const content = entry.content as ByteString | StringDraft;
  if (typeof content !== "string") content.patch(offset, bytes);
  else if (content.length < DRAFT_BYTES_MIN || (mayChain && offset >= content.length))
    entry.value = patched(content, offset, bytes);
  else {
    const draft = new StringDraft(content);
    draft.patch(offset, bytes);
    entry.content = draft;
  }
}

/** Reverts a patch. @param old the overwritten bytes @param length the string's previous length */
export function unpatchString(entry: Entry, offset: number, old: ByteString, length: number): void {
  if (old !== "") patchString(entry, offset, old);
  const content = entry.content as ByteString | StringDraft;
  if (typeof content === "string") entry.value = content.slice(0, length);
  else content.truncate(length);
}

/** Returns a string in which the bytes starting at an offset are replaced. */
function patched(value: ByteString, offset: number, bytes: ByteString): ByteString {
  const head = value.length < offset ? value + "\0".repeat(offset - value.length) : value.slice(0, offset);
  return head + bytes + value.slice(offset + bytes.length);
}
