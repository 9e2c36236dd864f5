/**
 * The tables and views that a statement reads. All are looked up when it begins: it may continue in later turns of the event loop, and still
 * reads the state of its beginning.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CommandFailure } from "../../arguments/errors.js";
import type { Parsed } from "../../sql/parse.js";
import type { Query } from "../../sql/tree.js";
import type { TableColumn } from "../../values/relations/table.js";
import type { TableReading } from "../../values/relations/table-reading.js";

export interface View {
  readonly parsed: Parsed & { readonly statement: { readonly kind: "query"; readonly query: Query } };
  /** Length of its text in characters. */
  readonly chars: number;
}

export type NamedSource =
  | { readonly kind: "view"; readonly view: View }
  | {
      readonly kind: "table";
      readonly reading: TableReading;
      readonly columns: readonly TableColumn[];
    }
  | { readonly kind: "missing"; readonly failure: CommandFailure };

export class Sources {
  readonly #found = new Map<ByteString, NamedSource>();

  has(name: ByteString): boolean {
    return this.#found.has(name);
  }

  set(name: ByteString, source: NamedSource): void {
    this.#found.set(name, source);
  }

  /** @throws CommandFailure  there is none of the name, or it is damaged */
  named(name: ByteString): Exclude<NamedSource, { kind: "missing" }> {
    const found = this.#found.get(name);
    if (found === undefined) throw new Error(`${name} was not looked for`);
    if (found.kind === "missing") throw found.failure;
    return found;
  }

  /** Releases its tables: from now on they may change without being copied. */
  release(): void {
    for (const found of this.#found.values()) if (found.kind === "table") found.reading.release();
  }
}
