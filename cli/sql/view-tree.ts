/**
 * Queries of views as the earlier server stores them: trees of its own classes. It can read back only those that name no column. Source:
 * test/vectors/sql/GRAMMAR.md "On disk", and the names of its classes.
 */
import { createHash } from "node:crypto";
import type { JacksonValue } from "./jackson-text.js";
import type { JoinKind, SetOperator, ViewQuery, ViewSelect, ViewSource } from "./view-query.js";

const PACKAGE = "sqlTsinjo.query.main.select";
const ELEMENTS = `${PACKAGE}.element.classes`;
const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;

const JOINS: Readonly<Record<string, JoinKind>> = {
  INNER: "inner",
  LEFT: "left",
  RIGHT: "right",
  FULL: "full",
  NATURAL: "natural",
};
const SETS: Readonly<Record<string, SetOperator>> = {
  UNION: "union",
  DIFFERENCE: "difference",
  INTERSECTION: "intersection",
};

type Fields = Readonly<Record<string, unknown>>;

/** @returns null: it is a query that the earlier server cannot read back, or none */
export function readViewTree(tree: unknown): ViewQuery | null {
  const fields = fieldsOf(tree);
  switch (classOf(fields)) {
    case "SelectRqst":
      return readSelect(fields);
    case "SelectBinOpExpr": {
      const operator = SETS[String(fields["op"])];
      const [left, right] = [readViewTree(fields["left"]), readViewTree(fields["right"])];
      if (operator === undefined || left === null || right === null) return null;
      return { kind: "set", operator, left, right };
    }
    default:
      return null;
  }
}

function readSelect({ fields, from, joins, ...others }: Fields): ViewSelect | null {
  if (classOf(fieldsOf(fields)) !== "AllField") return null;
  const { where, groupBy, limitDebut, limitFin } = others;
  const isWhole = [where, groupBy, limitDebut, limitFin].every((part) => part === null || part === undefined);
  const source = readSource(from);
  if (!isWhole || source === null) return null;
  const read: ViewSelect["joins"][number][] = [];
  for (const join of Array.isArray(joins) ? joins : []) {
    const { op, tableOrigin, onCondition = null } = fieldsOf(join);
    const [kind, joined] = [JOINS[String(op)], readSource(tableOrigin)];
    if (kind === undefined || joined === null || onCondition !== null) return null;
    read.push({ kind, source: joined });
  }
  return { kind: "select", from: source, joins: read };
}

function readSource(tree: unknown): ViewSource | null {
  const fields = fieldsOf(tree);
  const { name, alias = null } = fields;
  if (alias !== null && !isName(alias)) return null;
  if (classOf(fields) === "TableNameOrigin") return isName(name) ? { kind: "named", name, alias } : null;
  const query = readViewTree(tree);
  return query === null || alias === null ? null : { kind: "derived", query, alias };
}

export const isName = (name: unknown): name is string => typeof name === "string" && NAME.test(name);

const fieldsOf = (tree: unknown): Fields => (typeof tree === "object" && tree !== null ? tree : {}) as Fields;

/** Returns a class without its package, which differs between versions of the original. */
const classOf = (fields: Fields) => String(fields["@class"]).split(".").at(-1);

/** @param view  whose it is, since sources have ids: the same each time */
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
  const tree = (each: ViewQuery, own: string | null, alias: string | null): JacksonValue =>
    each.kind === "set"
      ? {
          "@class": `${PACKAGE}.SelectBinOpExpr`,
          id: own,
          alias,
          left: tree(each.left, null, null),
          op: wordOf(SETS, each.operator),
          right: tree(each.right, null, null),
        }
      : {
          "@class": `${PACKAGE}.SelectRqst`,
          id: own,
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

const wordOf = <Meaning>(words: Readonly<Record<string, Meaning>>, meaning: Meaning): string =>
  Object.entries(words).find(([, each]) => each === meaning)?.[0] ?? "";
