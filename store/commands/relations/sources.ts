/**
 * The tables and views that a statement reads, all found when it begins: it may go on in later turns of the event loop, and still reads
 * what there was.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { CommandFailure } from "../../arguments/errors.js";
import { formOf, type Parsed } from "../../sql/parse.js";
import { namesIn } from "../../sql/query-names.js";
import type { Query } from "../../sql/tree.js";
import type { TableReading } from "../../values/relations/table-reading.js";
import { tableNamed, viewNamed } from "./catalogue.js";
import type { Evaluation } from "./evaluation.js";

export interface View {
  readonly parsed: Parsed & { readonly statement: { readonly kind: "query"; readonly query: Query } };
  /** How long its text is. */
  readonly chars: number;
}

/** As a view means it, which may be of another form than the statement that names it. */
export function ofView({ parsed }: View, evaluation: Evaluation): Evaluation {
  const form = formOf(parsed.language, evaluation.english);
  return form === evaluation.form ? evaluation : { ...evaluation, form };
}

export type NamedSource =
  | { readonly kind: "view"; readonly view: View }
  | { readonly kind: "table"; readonly reading: TableReading }
  | { readonly kind: "missing"; readonly failure: CommandFailure };

export class Sources {
  readonly #found = new Map<ByteString, NamedSource>();

  /** Finds all that a query names, and what the views among them name. */
  find(query: Query, evaluation: Evaluation): void {
    const wanted = [...namesIn(query)];
    for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
      if (this.#found.has(name)) continue;
      const found = sourceNamed(name, evaluation);
      this.#found.set(name, found);
      if (found.kind === "view") wanted.push(...namesIn(found.view.parsed.statement.query));
    }
  }

  /** @throws CommandFailure  there is none of the name, or it is damaged */
  named(name: ByteString): Exclude<NamedSource, { kind: "missing" }> {
    const found = this.#found.get(name);
    if (found === undefined) throw new Error(`${name} was not looked for`);
    if (found.kind === "missing") throw found.failure;
    return found;
  }

  /** Its tables may change without being copied from now on. */
  release(): void {
    for (const found of this.#found.values()) if (found.kind === "table") found.reading.release();
  }
}

function sourceNamed(name: ByteString, evaluation: Evaluation): NamedSource {
  try {
    const view = viewNamed(evaluation, name);
    if (view !== undefined) return { kind: "view", view };
    return { kind: "table", reading: tableNamed(evaluation, name).value.reading() };
  } catch (failure) {
    if (failure instanceof CommandFailure) return { kind: "missing", failure };
    throw failure;
  }
}
