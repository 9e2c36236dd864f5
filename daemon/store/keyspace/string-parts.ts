/** Reads and changes parts of the string in a key's entry without building the complete string. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { DRAFT_BYTES_MIN, StringDraft } from "../values/string-draft.js";
import { EMBEDDED_BYTES_MAX } from "./encoding-name.js";
import type { KeyEntry } from "./keyspace.js";

export function holdsString({ content }: KeyEntry): boolean {
  return typeof content === "string" || content instanceof StringDraft;
}

export function stringLength({ content }: KeyEntry): number {
  return (content as ByteString | StringDraft).length;
}

/** Returns the bytes `from` ≤ index < `to`, limited to those that exist. @param from at least 0, like `to` */
export function stringPart({ content }: KeyEntry, from: number, to: number): ByteString {
  return (content as ByteString | StringDraft).slice(from, to);
}

/**
 * Writes bytes, starting at an offset; zeros fill a gap after the end of the string. Appended bytes are concatenated
 * lazily.
 * @param mayChain whether lazy concatenation is allowed: V8 copies the complete string when a part of it is read later
 */
export function patchString(entry: KeyEntry, offset: number, bytes: ByteString, mayChain = true): void {
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
export function unpatchString(entry: KeyEntry, offset: number, old: ByteString, length: number): void {
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

/** Maximum number of remembered keys, enough for an interactive inspection, and of bytes of each. */
const ENTRIES_MAX = 1024;
const KEY_BYTES_MAX = 1024;

type StringForm = "raw" | "embstr";

/**
 * The form in which Redis would store a short string that was modified in place or created from a float: `raw`, or
 * `embstr` if its bytes are a number. Only OBJECT ENCODING needs it. Only a database in memory remembers it, for the
 * keys that were modified last, and it is not part of the state. As in Redis, a restart loses it.
 */
export class StringForms {
  /** Forms by entry; the most recent is last. */
  readonly #forms = new Map<KeyEntry, { readonly form: StringForm; readonly writer: ByteString }>();

  /**
   * Records the form of a short string. Long strings have only one form, and a record would keep them in memory. It
   * would also keep a long key there after its deletion, so strings with long keys are not recorded.
   */
  note(entry: KeyEntry, form: StringForm): void {
    this.forget(entry);
    if (stringLength(entry) > EMBEDDED_BYTES_MAX || entry.key.length > KEY_BYTES_MAX) return;
    this.#forms.set(entry, { form, writer: entry.writer });
    if (this.#forms.size <= ENTRIES_MAX) return;
    for (const oldest of this.#forms.keys()) {
      this.#forms.delete(oldest);
      break;
    }
  }

  /** Forgets the form, because the key has a new string. */
  forget(entry: KeyEntry): void {
    if (this.#forms.size > 0) this.#forms.delete(entry);
  }

  /** Returns the form of an entry's string; null means the form of a new string with these bytes. */
  of(entry: KeyEntry): StringForm | null {
    const noted = this.#forms.get(entry);
    return noted?.writer === entry.writer ? noted.form : null;
  }
}
