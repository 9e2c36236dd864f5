/**
 * Queries of views that the earlier server can read: complete tables, joined without a condition, and combinations of
 * such queries.
 */

export type JoinKind = "inner" | "left" | "right" | "full" | "natural";
export type SetOperator = "union" | "difference" | "intersection";

export type ViewQuery =
  | ViewSelect
  | {
      readonly kind: "set";
      readonly operator: SetOperator;
      readonly left: ViewQuery;
      readonly right: ViewQuery;
    };

/** A query that returns all columns of its sources. */
export interface ViewSelect {
  readonly kind: "select";
  readonly from: ViewSource;
  readonly joins: readonly { readonly kind: JoinKind; readonly source: ViewSource }[];
}

export type ViewSource =
  | { readonly kind: "named"; readonly name: string; readonly alias: string | null }
  | { readonly kind: "derived"; readonly query: ViewQuery; readonly alias: string };

const JOIN_WORDS: Readonly<Record<JoinKind, string>> = {
  inner: "anatiny",
  left: "avia",
  right: "avanana",
  full: "feno",
  natural: "natoraly",
};
const SET_WORDS: Readonly<Record<SetOperator, string>> = {
  union: "ankambana",
  difference: "analana",
  intersection: "atifitra",
};

/** Formats a query as a statement in Malagasy. */
export function viewText(query: ViewQuery): string {
  if (query.kind === "set") {
    const right = viewText(query.right);
    return `${viewText(query.left)} #${SET_WORDS[query.operator]}@ ${query.right.kind === "set" ? `(${right})` : right}`;
  }
  const joins = query.joins.map(({ kind, source }) => ` #tonona:${JOIN_WORDS[kind]}@ ${sourceText(source)}`);
  return `alaivo * #ao@ ${sourceText(query.from)}${joins.join("")}`;
}

function sourceText(source: ViewSource): string {
  const text = source.kind === "named" ? source.name : `(${viewText(source.query)})`;
  return source.alias === null ? text : `${text} antso ${source.alias}`;
}

/** Returns the names of the tables and views that a query reads. */
export function sourcesOf(query: ViewQuery): readonly string[] {
  if (query.kind === "set") return [...sourcesOf(query.left), ...sourcesOf(query.right)];
  return [query.from, ...query.joins.map(({ source }) => source)].flatMap((source) =>
    source.kind === "named" ? [source.name] : sourcesOf(source.query),
  );
}
