/** Statements that create, drop and list the objects of a database. */

import type { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { type ByteString, detached, trimmed } from "../../../../protocol/byte-string.js";
import { domainWords, scalarText } from "../grammar/expression-text.js";
import { KEYWORDS } from "../grammar/keywords.js";
import type { DomainPart, Language, ObjectKind, Statement } from "../grammar/syntax-tree.js";
import { adviceForType } from "../grammar/unsupported-features.js";
import { setCreatedIndexes } from "../keyspace/table-mutators.js";
import type { Cell } from "../values/cell.js";
import { type Domain, type DomainAtom, domainText, fits } from "../values/domain.js";
import { Table } from "../values/table.js";
import type { TableColumn } from "../values/table-column.js";
import {
  catalogue,
  catalogueKey,
  domainNamed,
  forget,
  hasTable,
  keep,
  makeCatalogue,
  namesOf,
  ofView,
  storedNames,
  storedText,
  tableKey,
  tableNamed,
  tablesOf,
  viewNamed,
} from "./catalogue.js";
import { checkColumns, type Evaluation, failure } from "./evaluation-context.js";
import { answered } from "./execute-query.js";
import type { Relation } from "./relation.js";
import { checkIndexed, positionNamed } from "./row-changes.js";

type SchemaChange<Kind extends Statement["kind"]> = Extract<Statement, { kind: Kind }>;

export function createDatabase(
  { name, ifNeeded }: SchemaChange<"create-database">,
  evaluation: Evaluation,
): void {
  if (evaluation.data.get(catalogueKey(name)) === undefined) makeCatalogue(evaluation.data, name);
  else if (ifNeeded === true) checkDatabase(name, evaluation);
  else throw failure(evaluation, "databaseExists", name);
}

/** Drops a database with all its tables. */
export function dropDatabase(
  { name, ifNeeded }: SchemaChange<"drop-database">,
  evaluation: Evaluation,
): void {
  const { data } = evaluation;
  if (ifNeeded === true && data.get(catalogueKey(name)) === undefined) return;
  checkDatabase(name, evaluation);
  for (const table of namesOf(evaluation, name)) data.delete(tableKey(name, table));
  data.delete(catalogueKey(name));
}

/** @throws CommandFailure if the database does not exist */
export function checkDatabase(name: ByteString, evaluation: Evaluation): void {
  catalogue({ ...evaluation, database: name });
}

export function createDomain(
  { name, ifNeeded, domain }: SchemaChange<"create-domain">,
  evaluation: Evaluation,
): void {
  catalogue(evaluation);
  if (storedText(evaluation, "domain", name) === undefined)
    keep(evaluation, "domain", name, domainText(domainOf(domain, evaluation)));
  else if (ifNeeded !== true) throw failure(evaluation, "domainExists", name);
}

export function createTable(
  { name, ifNeeded, columns }: SchemaChange<"create-table">,
  evaluation: Evaluation,
): void {
  if (!isFree(name, ifNeeded === true, evaluation)) return;
  checkColumns(evaluation, columns.length);
  const tableColumns = columns.map(({ domain: parts, ...column }): TableColumn => {
    const domain = domainOf(parts, evaluation);
    checkPreset(column.preset ?? null, domain, { ...column, domain }, evaluation);
    return { ...column, name: detached(column.name), domain };
  });
  evaluation.data.put(tableKey(evaluation.database, name), new Table(tableColumns));
}

/** Creates a view. Its query is executed once, so no view is created that cannot be read. */
export function createView(
  { name, ifNeeded, query, text }: SchemaChange<"create-view">,
  evaluation: Evaluation,
): void {
  if (!isFree(name, ifNeeded === true, evaluation)) return;
  answered(query, evaluation, 1);
  keep(evaluation, "view", name, trimmed(text));
}

/**
 * Returns whether neither a table nor a view has this name.
 * @param ifNeeded whether the statement does nothing if one has it, also one of the other kind, as in SQLite
 * @throws CommandFailure if one has it, unless `ifNeeded`
 */
function isFree(name: ByteString, ifNeeded: boolean, evaluation: Evaluation): boolean {
  catalogue(evaluation);
  const isTable = hasTable(evaluation, name);
  if (!isTable && storedText(evaluation, "view", name) === undefined) return true;
  if (ifNeeded) return false;
  throw failure(evaluation, isTable ? "tableExists" : "viewExists", name);
}

/** Maximum number of created indexes of a table: each change of a row checks the unique ones. */
const INDEXES_MAX = 64;

/** Creates an index. The name is in use if any table of the database has an index of this name. */
export function createIndex(
  { name, ifNeeded, table: tableName, columns, isUnique }: SchemaChange<"create-index">,
  evaluation: Evaluation,
): void {
  catalogue(evaluation);
  const entry = tableNamed(evaluation, tableName);
  const { value: table } = entry;
  const isUsed = tablesOf(evaluation).some(([, { value }]) => indexNamed(value, name) !== undefined);
  if (isUsed && ifNeeded === true) return;
  if (isUsed) throw failure(evaluation, "indexExists", name);
  if (table.createdIndexes.length >= INDEXES_MAX)
    throw failure(evaluation, "tooManyIndexes", String(INDEXES_MAX));

  checkColumns(evaluation, columns.length);
  const positions = columns.map((column) =>
    positionNamed(table.columns, column, evaluation, "unknownFieldOf", tableName),
  );
  const index = { name: detached(name), columns: positions, isUnique };
  if (isUnique) checkIndexed(table, index, evaluation);
  setCreatedIndexes(evaluation.data, entry, [...table.createdIndexes, index]);
}

const indexNamed = ({ createdIndexes }: Table, name: ByteString) =>
  createdIndexes.find((index) => index.name === name);

function dropIndex(name: ByteString, ifNeeded: boolean, evaluation: Evaluation): void {
  catalogue(evaluation);
  const owner = tablesOf(evaluation).find(([, { value }]) => indexNamed(value, name) !== undefined)?.[1];
  if (owner === undefined) {
    if (ifNeeded) return;
    throw failure(evaluation, "unknownIndex", evaluation.database, name);
  }
  const remaining = owner.value.createdIndexes.filter((index) => index.name !== name);
  setCreatedIndexes(evaluation.data, owner, remaining);
}

export function drop({ what, name, ifNeeded }: SchemaChange<"drop">, evaluation: Evaluation): void {
  if (what === "index") dropIndex(name, ifNeeded === true, evaluation);
  else if (ifNeeded === true && isAbsent(what, name, evaluation)) return;
  else if (what === "table") evaluation.data.delete(tableNamed(evaluation, name).key);
  else if (!forget(evaluation, what, name))
    throw failure(evaluation, what === "view" ? "unknownView" : "unknownTable", evaluation.database, name);
}

/** Returns whether no object has this name; a table and a view count for each other, as in SQLite. */
function isAbsent(what: ObjectKind, name: ByteString, evaluation: Evaluation): boolean {
  catalogue(evaluation);
  if (what === "domain") return storedText(evaluation, "domain", name) === undefined;
  return !hasTable(evaluation, name) && storedText(evaluation, "view", name) === undefined;
}

/** Maximum number of types of a column: domains of domains would otherwise grow without limit. */
const ATOMS_MAX = 100;

/** Replaces the names of domains by their definitions, so later changes of a domain change no table. */
function domainOf(parts: readonly DomainPart[], evaluation: Evaluation): Domain {
  const atoms: DomainAtom[] = [];
  for (const part of parts) {
    if (part.kind !== "named") {
      atoms.push(part);
      if (atoms.length > ATOMS_MAX) throw failure(evaluation, "tooManyTypes", String(ATOMS_MAX));
      continue;
    }
    const definition = domainNamed(evaluation, part.name);
    if (definition === undefined) throw unknownType(part.name, evaluation);
    for (const atom of definition) atoms.push(atom);
    if (atoms.length > ATOMS_MAX) throw failure(evaluation, "tooManyTypes", String(ATOMS_MAX));
  }

  return atoms;
}

function unknownType(name: ByteString, evaluation: Evaluation): CommandFailure {
  const advice = evaluation.form === "standard" ? adviceForType(name) : undefined;
  if (advice !== undefined) return failure(evaluation, "notSupported", `the type ${name}`, advice);
  return failure(evaluation, "unknownTable", evaluation.database, name);
}

/** @throws CommandFailure if the column does not accept its own default */
function checkPreset(preset: Cell, domain: Domain, { name }: TableColumn, evaluation: Evaluation): void {
  if (fits(domain, preset)) return;
  throw failure(evaluation, "misfit", domainWords(domain), "0", scalarText(preset), name);
}

/** The name of the relation that lists the objects, and of its only column. */
const SHOWN: Readonly<Record<Language, string>> = { malagasy: "fanasehoana", english: "name" };

export function shown(kind: ObjectKind | "database", evaluation: Evaluation): Relation {
  if (kind !== "database") catalogue(evaluation);
  const names =
    kind === "database"
      ? namesOf(evaluation, null)
      : kind === "table"
        ? namesOf(evaluation, evaluation.database)
        : kind === "index"
          ? indexNames(evaluation)
          : [...storedNames(evaluation, kind)].sort();
  const name = SHOWN[evaluation.language];
  return {
    name,
    columns: [{ name, origin: name }],
    rows: names.map((name) => [name]),
    table: null,
    isSet: true,
  };
}

const indexNames = (evaluation: Evaluation) =>
  tablesOf(evaluation)
    .flatMap(([, { value }]) => value.createdIndexes.map(({ name }) => name))
    .sort();

const HEADS: Readonly<Record<Language, readonly string[]>> = {
  malagasy: ["tsanganana", "karazana", "lakile"],
  english: ["column", "type", "key"],
};

/** Returns a row for each column; for a view only the names are known. */
export function described(name: ByteString, evaluation: Evaluation): Relation {
  const { language } = evaluation;
  const view = viewNamed(evaluation, name);
  const rows =
    view === undefined
      ? tableNamed(evaluation, name).value.columns.map((column) => [
          column.name,
          typeWords(column.domain, language),
          keyWords(column, language),
        ])
      : answered(view.parsed.statement.query, ofView(view, evaluation)).columns.map((column) => [
          column.name,
          null,
          null,
        ]);
  return {
    name,
    columns: HEADS[language].map((head) => ({ name: head, origin: name })),
    rows,
    table: null,
    isSet: false,
  };
}

/** Returns the constraints after a column's type, in the words of an English statement, or null if there is none. */
function keyWords({ uniqueness, isRequired, preset }: TableColumn, language: Language): ByteString | null {
  const words = [
    uniqueness === "none" ? "" : (KEYWORDS[uniqueness][language][0] ?? ""),
    isRequired === true ? "not null" : "",
    preset === undefined || preset === null ? "" : `default ${writtenCell(preset)}`,
  ].filter((word) => word !== "");
  return words.length === 0 ? null : words.join(" ");
}

const writtenCell = (value: Cell) =>
  typeof value === "string" ? `'${value.replace(/['\\]/g, "\\$&")}'` : String(value);

/** Returns a type as a statement would write it. */
function typeWords(domain: Domain, language: Language): ByteString {
  return domain
    .map((atom) => {
      const word = KEYWORDS[atom.kind][language][0];
      if (atom.kind === "date") return word;
      const within =
        atom.kind === "enumeration" ? atom.allowed.map(writtenCell) : [String(atom.min), String(atom.max)];
      return `${word}(${within.join(",")})`;
    })
    .join(":");
}
