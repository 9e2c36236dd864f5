/**
 * Names of the keys of a database, and the tables and views that a query reads, which are found before its first step.
 * The catalogue is a hash of its views and domains in one key, and each table has its own key. The keys themselves
 * determine which tables exist.
 */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { isExpired, type KeyEntry } from "../../../../daemon/store/keyspace/keyspace.js";
import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import { Hash } from "../../../../daemon/store/values/hash.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { formOf, parse, SEPARATOR } from "../grammar/parse.js";
import { namesIn } from "../grammar/query-names.js";
import { SqlMistake } from "../grammar/syntax-error.js";
import { type Domain, domainOfText } from "../values/domain.js";
import { Table } from "../values/table.js";
import { type Evaluation, failure, spend } from "./evaluation-context.js";
import type { NamedSource, View } from "./sources.js";

const PREFIX = "sql:";

export const catalogueKey = (database: ByteString): ByteString => `${PREFIX}${database}`;
export const tableKey = (database: ByteString, table: ByteString): ByteString =>
  `${PREFIX}${database}${SEPARATOR}${table}`;

/** @throws CommandFailure if the name is not valid for a database */
export function checkName(evaluation: Evaluation): void {
  if (evaluation.database.includes(SEPARATOR))
    throw failure(evaluation, "unknownDatabase", evaluation.database);
}

/** The kind of an object. The name of the object's field in a catalogue consists of its kind and its name. */
type StoredKind = "view" | "domain";
const MARK = "database";
const fieldOf = (kind: StoredKind, name: ByteString): ByteString => `${kind} ${name}`;

/** @throws CommandFailure if no database is chosen, or the database does not exist */
export function catalogue(evaluation: Evaluation): Typed<Hash> {
  const { data, database } = evaluation;
  if (database === "") throw failure(evaluation, "noDatabase");
  const entry = data.getAs(Hash, catalogueKey(database));
  if (entry === undefined) throw failure(evaluation, "unknownDatabase", database);
  return entry;
}

export function makeCatalogue(data: Data, database: ByteString): void {
  data.hashPut(data.getOrPut(Hash, catalogueKey(database)), MARK, "1");
}

/** @returns undefined if there is no such view or domain */
export function storedText(
  { data, database }: Evaluation,
  kind: StoredKind,
  name: ByteString,
): ByteString | undefined {
  const hash = data.getAs(Hash, catalogueKey(database))?.value;
  const index = hash?.find(fieldOf(kind, name)) ?? -1;
  return index < 0 ? undefined : hash?.valueAt(index);
}

export function keep(evaluation: Evaluation, kind: StoredKind, name: ByteString, text: ByteString): void {
  evaluation.data.hashPut(catalogue(evaluation), fieldOf(kind, name), text);
}

/** @returns whether the object existed */
export function forget(evaluation: Evaluation, kind: StoredKind, name: ByteString): boolean {
  return evaluation.data.hashRemove(catalogue(evaluation), fieldOf(kind, name));
}

/** Returns the names of all views or domains. */
export function storedNames(evaluation: Evaluation, kind: StoredKind): readonly ByteString[] {
  const start = fieldOf(kind, "");
  const { fields } = catalogue(evaluation).value;
  return fields.flatMap((field) => (field.startsWith(start) ? [field.slice(start.length)] : []));
}

/** @returns undefined if there is no such view @throws CommandFailure if its stored text is not a query */
export function viewNamed(evaluation: Evaluation, name: ByteString): View | undefined {
  const text = storedText(evaluation, "view", name);
  if (text === undefined) return undefined;
  const parsed = parse(text);
  const { statement, parameters } = parsed;
  if (statement instanceof SqlMistake || statement.kind !== "query" || parameters > 0)
    throw failure(evaluation, "damaged", evaluation.database, name);
  return { parsed: { ...parsed, statement }, chars: text.length };
}

/** @returns undefined if there is no such domain */
export function domainNamed(evaluation: Evaluation, name: ByteString): Domain | undefined {
  const text = storedText(evaluation, "domain", name);
  if (text === undefined) return undefined;
  // Each column of this domain stores a complete copy of it, so each use costs as much as the copy.
  spend(evaluation, text.length);
  const domain = domainOfText(text);
  if (domain === undefined) throw failure(evaluation, "damaged", evaluation.database, name);
  return domain;
}

/** @throws CommandFailure if the table does not exist, or the key has a value of another type */
export function tableNamed(evaluation: Evaluation, name: ByteString): Typed<Table> {
  const { data, database } = evaluation;
  if (database === "") throw failure(evaluation, "noDatabase");
  const entry = data.getAs(Table, tableKey(database, name));
  if (entry === undefined) throw failure(evaluation, "unknownTable", database, name);
  return entry;
}

/** Returns the names and the entries of a database's tables. */
export function tablesOf(evaluation: Evaluation): readonly (readonly [ByteString, Typed<Table>])[] {
  const { database } = evaluation;
  return namesOf(evaluation, database).map((name) => [name, tableNamed(evaluation, name)]);
}

export function hasTable({ data, database }: Evaluation, name: ByteString): boolean {
  return data.getAs(Table, tableKey(database, name)) !== undefined;
}

/**
 * Returns the names of a database's tables or, if `database` is null, of all databases, sorted by their bytes. No
 * database has a name with a separator, but a command such as RENAME may give a table one: statements can read and drop
 * this table, so it is listed.
 */
export function namesOf({ data, at }: Evaluation, database: ByteString | null): readonly ByteString[] {
  const start = database === null ? PREFIX : tableKey(database, "");
  const kind = database === null ? Hash : Table;
  const isMeant = ({ key, value }: KeyEntry) =>
    value instanceof kind && (database !== null || !key.includes(SEPARATOR, start.length));
  return data
    .walked()
    .filter((entry) => entry.key.startsWith(start) && !isExpired(entry, at) && isMeant(entry))
    .map(({ key }) => key.slice(start.length))
    .sort();
}

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
