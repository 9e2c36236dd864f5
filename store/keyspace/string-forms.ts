/**
 * The form in which Redis stores a short string that was changed in place or made from a float: `raw`, or `embstr` where its bytes are a
 * number's. Needed for OBJECT ENCODING alone, stored for the keys that were so changed last, only by a database in memory alone, and not
 * part of the state; as in Redis a daemon that restarts does not know it.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { EMBEDDED_BYTES_MAX } from "./encoding-name.js";
import type { Entry } from "./keyspace.js";
import { stringLength } from "./string-parts.js";

/** Maximum number of remembered keys: as many as one inspects at a time. */
const ENTRIES_MAX = 1024;

export type StringForm = "raw" | "embstr";

export class StringForms {
  /** The latest is last. */
  readonly #forms = new Map<Entry, { readonly form: StringForm; readonly writer: ByteString }>();

  /** Long strings have one form only, and would stay in memory with their entries. */
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

  /** Notes that the key has a new string. */
  forget(entry: Entry): void {
    if (this.#forms.size > 0) this.#forms.delete(entry);
  }

  /** null: in that of a new string of these bytes. */
  of(entry: Entry): StringForm | null {
    const noted = this.#forms.get(entry);
    return noted?.writer === entry.writer ? noted.form : null;
  }
}
