/** Finds the tables and views that a query reads, before its first step. */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { formOf } from "../grammar/parse.js";
import { namesIn } from "../grammar/query-names.js";
import { tableNamed, viewNamed } from "./catalogue.js";
import type { Evaluation } from "./evaluation-context.js";
import type { NamedSource, View } from "./sources.js";

/** Finds all tables and views that a statement reads, and those that its views name. */
export function findSources(namesRead: Iterable<ByteString>, evaluation: Evaluation): void {
  const { sources } = evaluation;
  const names = [...namesRead];
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (sources.has(name)) continue;
    const source = sourceNamed(name, evaluation);
    sources.set(name, source);
    if (source.kind !== "view") continue;
    for (const each of namesIn(source.view.parsed.statement.query)) names.push(each);
  }
}

function sourceNamed(name: ByteString, evaluation: Evaluation): NamedSource {
  try {
    const view = viewNamed(evaluation, name);
    if (view !== undefined) return { kind: "view", view };
    const table = tableNamed(evaluation, name).value;
    return { kind: "table", reading: table.reading(), columns: table.columns };
  } catch (failure) {
    if (failure instanceof CommandFailure) return { kind: "missing", failure };
    throw failure;
  }
}

/**
 * Returns the evaluation of a view, whose form may differ from that of the statement that names it. A view cannot name
 * columns of that statement.
 */
export function ofView({ parsed }: View, evaluation: Evaluation): Evaluation {
  const form = formOf(parsed.language);
  return { ...evaluation, form, outer: undefined };
}
