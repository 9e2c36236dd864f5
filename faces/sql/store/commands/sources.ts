/**
 * The tables and views that a statement reads. All of them are looked up when the statement begins. The statement may
 * continue in later turns of the event loop, but still reads the tables as they were when it began.
 */

import type { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Parsed } from "../grammar/parse.js";
import type { Query } from "../grammar/syntax-tree.js";
import type { TableColumn } from "../values/table-column.js";
import type { TableReading } from "../values/table-reading.js";

export interface View {
  readonly parsed: Parsed & { readonly statement: { readonly kind: "query"; readonly query: Query } };
  /** Length of the view's text in characters. */
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

  /** @throws CommandFailure if the source does not exist or is damaged */
  named(name: ByteString): Exclude<NamedSource, { kind: "missing" }> {
    const source = this.#found.get(name);
    if (source === undefined) throw new Error(`${name} was not looked up`);
    if (source.kind === "missing") throw source.failure;
    return source;
  }

  /**
   * Releases the readings of the tables. A later change of a table then need not preserve the rows for this statement.
   */
  release(): void {
    for (const source of this.#found.values()) if (source.kind === "table") source.reading.release();
  }
}
