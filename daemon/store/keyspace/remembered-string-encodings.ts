/**
 * The form in which Redis would store a short string that was modified in place or created from a float: `raw`, or
 * `embstr` if its bytes are a number. Only OBJECT ENCODING needs it. Only a database in memory remembers it, for the
 * keys that were modified last, and it is not part of the state. As in Redis, a restart loses it.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { EMBEDDED_BYTES_MAX } from "./encoding-name.js";
import type { Entry } from "./keyspace.js";
import { stringLength } from "./string-parts.js";

/** Maximum number of remembered keys, enough for an interactive inspection. */
const ENTRIES_MAX = 1024;

export type StringForm = "raw" | "embstr";

export class StringForms {
  /** Forms by entry; the most recent is last. */
  readonly #forms = new Map<Entry, { readonly form: StringForm; readonly writer: ByteString }>();

  /** Records the form of a short string. Long strings have only one form, and a record would keep them in memory. */
  note(entry: Entry, form: StringForm): void {
    this.forget(entry);
    if (stringLength(entry) > EMBEDDED_BYTES_MAX) return;
    this.#forms.set(entry, { form, writer: entry.writer });
    if (this.#forms.size <= ENTRIES_MAX) return;
    for (const oldest of this.#forms.keys()) {
      this.#forms.delete(oldest);
      break;
    }
  }

  /** Forgets the form, because the key has a new string. */
  forget(entry: Entry): void {
    if (this.#forms.size > 0) this.#forms.delete(entry);
  }

  /** Returns the form of an entry's string; null means the form of a new string with these bytes. */
  of(entry: Entry): StringForm | null {
    const noted = this.#forms.get(entry);
    return noted?.writer === entry.writer ? noted.form : null;
  }
}
