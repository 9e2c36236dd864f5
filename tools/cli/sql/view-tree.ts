/**
 * Converts queries of views from and to the trees of Java objects that the earlier server stores. That server can read
 * only views that name no column. Source: test/vectors/sql/GRAMMAR.md "On disk", and the names of the server's classes.
 */
import { createHash } from "node:crypto";
import type { JacksonValue } from "./sql-data-folder.js";

type JoinKind = "inner" | "left" | "right" | "full" | "natural";
type SetOperator = "union" | "difference" | "intersection";

/**
 * A query of a view that the earlier server can read: complete tables, joined without a condition, or a combination of
 * such queries.
 */
export type ViewQuery =
  | ViewSelect
  | {
      readonly kind: "set";
      readonly operator: SetOperator;
      readonly left: ViewQuery;
      readonly right: ViewQuery;
    };

/** A query that returns all columns of its sources. */
interface ViewSelect {
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

const PACKAGE = "sqlTsinjo.query.main.select";
const ELEMENTS = `${PACKAGE}.element.classes`;
const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;

const JOINS: ReadonlyMap<string, JoinKind> = new Map<string, JoinKind>(
  Object.entries({
    INNER: "inner",
    LEFT: "left",
    RIGHT: "right",
    FULL: "full",
    NATURAL: "natural",
  }),
);
const SETS: ReadonlyMap<string, SetOperator> = new Map<string, SetOperator>(
  Object.entries({
    UNION: "union",
    DIFFERENCE: "difference",
    INTERSECTION: "intersection",
  }),
);

type Fields = Readonly<Record<string, unknown>>;

/** Parses a tree. @returns null if it is not a query that the earlier server can read */
export function readViewTree(tree: unknown): ViewQuery | null {
  const fields = asFields(tree);
  switch (classOf(fields)) {
    case "SelectRqst":
      return readSelect(fields);
    case "SelectBinOpExpr": {
      const operator = SETS.get(String(fields["op"]));
      const [left, right] = [readViewTree(fields["left"]), readViewTree(fields["right"])];
      if (operator === undefined || left === null || right === null) return null;
      return { kind: "set", operator, left, right };
    }
    default:
      return null;
  }
}

function readSelect({ fields, from, joins, ...restrictions }: Fields): ViewSelect | null {
  if (classOf(asFields(fields)) !== "AllField") return null;

  const { where, groupBy, limitDebut, limitFin } = restrictions;
  const isComplete = [where, groupBy, limitDebut, limitFin].every(
    (part) => part === null || part === undefined,
  );
  const source = readSource(from);
  if (!isComplete || source === null) return null;

  const read: ViewSelect["joins"][number][] = [];
  for (const join of Array.isArray(joins) ? joins : []) {
    const { op, tableOrigin, onCondition = null } = asFields(join);
    const [kind, joined] = [JOINS.get(String(op)), readSource(tableOrigin)];
    if (kind === undefined || joined === null || onCondition !== null) return null;
    read.push({ kind, source: joined });
  }
  return { kind: "select", from: source, joins: read };
}

function readSource(tree: unknown): ViewSource | null {
  const fields = asFields(tree);
  const { name, alias = null } = fields;
  if (alias !== null && !isName(alias)) return null;
  if (classOf(fields) === "TableNameOrigin") return isName(name) ? { kind: "named", name, alias } : null;
  const query = readViewTree(tree);
  return query === null || alias === null ? null : { kind: "derived", query, alias };
}

export const isName = (name: unknown): name is string => typeof name === "string" && NAME.test(name);

/** Returns a node's fields; none for a value that is no object. */
const asFields = (tree: unknown): Fields => (typeof tree === "object" && tree !== null ? tree : {}) as Fields;

/** Returns the name of a class without its package, which differs between versions of the earlier server. */
const classOf = (fields: Fields) => String(fields["@class"]).split(".").at(-1);

/** Returns the tree of a query. @param view  the view's name, from which the ids of sources are derived */
export function viewTree(query: ViewQuery, view: string): JacksonValue {
  let sources = 0;
  const id = (): string => {
    const digits = createHash("sha256").update(`${view} ${sources++}`).digest("hex");
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
  };

  const source = (from: ViewSource): JacksonValue =>
    from.kind === "derived"
      ? tree(from.query, id(), from.alias)
      : { "@class": `${ELEMENTS}.TableNameOrigin`, id: id(), alias: from.alias, name: from.name };

  const tree = (each: ViewQuery, treeId: string | null, alias: string | null): JacksonValue =>
    each.kind === "set"
      ? {
          "@class": `${PACKAGE}.SelectBinOpExpr`,
          id: treeId,
          alias,
          left: tree(each.left, null, null),
          op: wordOf(SETS, each.operator),
          right: tree(each.right, null, null),
        }
      : {
          "@class": `${PACKAGE}.SelectRqst`,
          id: treeId,
          alias,
          fields: { "@class": `${ELEMENTS}.AllField` },
          from: source(each.from),
          joins: each.joins.map((join) => ({
            op: wordOf(JOINS, join.kind),
            tableOrigin: source(join.source),
            onCondition: null,
          })),
          where: null,
          groupBy: null,
        };

  return tree(query, null, null);
}

const wordOf = <Meaning>(words: ReadonlyMap<string, Meaning>, meaning: Meaning): string =>
  [...words].find(([, each]) => each === meaning)?.[0] ?? "";
