/**
 * Names of the keys of a database: its catalogue is in one key, a hash of its views and domains, and each table in a key of its own. The
 * keys themselves say which tables exist.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Entry, isExpired } from "../../keyspace/keyspace.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import { SqlMistake } from "../../sql/mistake.js";
import { parse } from "../../sql/parse.js";
import { Hash } from "../../values/hash.js";
import { type Domain, domainOfText } from "../../values/relations/domain.js";
import { Table } from "../../values/relations/table.js";
import { type Evaluation, failure, spend } from "./evaluation.js";
import type { View } from "./sources.js";

const PREFIX = "sql:";
/** Occurs in no name of a database or a table, so no database's keys have the prefix of another one's. */
const SEPARATOR = ":";

export const catalogueKey = (database: ByteString): ByteString => `${PREFIX}${database}`;
export const tableKey = (database: ByteString, table: ByteString): ByteString =>
  `${PREFIX}${database}${SEPARATOR}${table}`;

/** @throws CommandFailure  no database can have that name */
export function checkName(evaluation: Evaluation): void {
  if (evaluation.database.includes(SEPARATOR))
    throw failure(evaluation, "unknownDatabase", evaluation.database);
}

/** Field of a catalogue: a word for the kind of object, and its name. */
type Kept = "view" | "domain";
const MARK = "database";
const fieldOf = (kept: Kept, name: ByteString): ByteString => `${kept} ${name}`;

/** @throws CommandFailure  no database is chosen, or there is none of the name */
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

/** @returns undefined: there is no such view or domain */
export function keptText(
  { data, database }: Evaluation,
  kept: Kept,
  name: ByteString,
): ByteString | undefined {
  const hash = data.getAs(Hash, catalogueKey(database))?.value;
  const index = hash?.find(fieldOf(kept, name)) ?? -1;
  return index < 0 ? undefined : hash?.valueAt(index);
}

export function keep(evaluation: Evaluation, kept: Kept, name: ByteString, text: ByteString): void {
  evaluation.data.hashPut(catalogue(evaluation), fieldOf(kept, name), text);
}

/** @returns whether it was there */
export function forget(evaluation: Evaluation, kept: Kept, name: ByteString): boolean {
  return evaluation.data.hashRemove(catalogue(evaluation), fieldOf(kept, name));
}

/** Names of all views or domains. */
export function keptNames(evaluation: Evaluation, kept: Kept): readonly ByteString[] {
  const start = fieldOf(kept, "");
  const { fields } = catalogue(evaluation).value;
  return fields.flatMap((field) => (field.startsWith(start) ? [field.slice(start.length)] : []));
}

/** @returns undefined: there is none @throws CommandFailure  its stored text is not a query */
export function viewNamed(evaluation: Evaluation, name: ByteString): View | undefined {
  const text = keptText(evaluation, "view", name);
  if (text === undefined) return undefined;
  const parsed = parse(text, evaluation.english);
  const { statement, parameters } = parsed;
  if (statement instanceof SqlMistake || statement.kind !== "query" || parameters > 0)
    throw failure(evaluation, "damaged", evaluation.database, name);
  return { parsed: { ...parsed, statement }, chars: text.length };
}

/** @returns undefined: there is none */
export function domainNamed(evaluation: Evaluation, name: ByteString): Domain | undefined {
  const text = keptText(evaluation, "domain", name);
  if (text === undefined) return undefined;
  // Each column that names it has a complete copy, here and in snapshots.
  spend(evaluation, text.length);
  const domain = domainOfText(text);
  if (domain === undefined) throw failure(evaluation, "damaged", evaluation.database, name);
  return domain;
}

/** @throws CommandFailure  there is none, or the key holds something else */
export function tableNamed(evaluation: Evaluation, name: ByteString): Typed<Table> {
  const { data, database } = evaluation;
  if (database === "") throw failure(evaluation, "noDatabase");
  const entry = data.getAs(Table, tableKey(database, name));
  if (entry === undefined) throw failure(evaluation, "unknownTable", database, name);
  return entry;
}

export function hasTable({ data, database }: Evaluation, name: ByteString): boolean {
  return data.getAs(Table, tableKey(database, name)) !== undefined;
}

/** Names of a database's tables, or with null of all databases, in the order of their bytes. */
export function namesOf({ data, at }: Evaluation, database: ByteString | null): readonly ByteString[] {
  const start = database === null ? PREFIX : tableKey(database, "");
  const kind = database === null ? Hash : Table;
  const isMeant = ({ key, value }: Entry) => value instanceof kind && !key.includes(SEPARATOR, start.length);
  return data
    .walked()
    .filter((entry) => entry.key.startsWith(start) && !isExpired(entry, at) && isMeant(entry))
    .map(({ key }) => key.slice(start.length))
    .sort();
}
