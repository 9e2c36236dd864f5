/**
 * Every error of a statement, in English and in the words of the database that `--sql` replaces (Malagasy and French,
 * unchanged). The reply is in the language of the statement, so all daemons return the same reply. The values in a
 * message replace `{0}`, `{1}` and so on.
 */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import { type MistakeKind, positionIn, type SqlMistake } from "./syntax-error.js";
import type { Language } from "./syntax-tree.js";

interface Message {
  readonly malagasy: ByteString;
  readonly english: ByteString;
}

const message = (malagasy: string, english: string): Message => ({
  malagasy: bytesOfText(malagasy),
  english: bytesOfText(english),
});

const MESSAGES = {
  noDatabase: message(
    "Tsy nisafidy tahiry ianao",
    "no database is chosen: write use x (after create database x), or name it in the command: SQL x",
  ),
  unknownDatabase: message("Tsy misy ny tahiry : {0}", "there is no database {0}"),
  databaseExists: message("Ny tahiry ({0}) dia efa misy", "the database {0} already exists"),
  unknownTable: message("La table {0}.{1} n'as pas été trouvé", "there is no {1} in the database {0}"),
  unknownView: message("Ny jery {0}.{1} dia tsy hita", "there is no view {1} in the database {0}"),
  tableExists: message("Ny tabilao : {0} dia efa misy", "the table {0} already exists"),
  domainExists: message("Ny efitra : {0} dia efa misys", "the domain {0} already exists"),
  viewExists: message("Ny jery : {0} dia efa misy", "the view {0} already exists"),
  indexExists: message("Ny index : {0} dia efa misy", "the index {0} already exists"),
  unknownIndex: message("Tsy misy ny index {0}.{1}", "there is no index {1} in the database {0}"),
  tooManyIndexes: message("Be loatra ny index : {0}", "more than {0} indexes of one table"),
  damaged: message("Ny tahiry {0} dia simba", "the database {0} contains an invalid definition of {1}"),
  unknownColumn: message("Le champ '{0}' n'existe pas dans la relation.", "there is no column '{0}'"),
  ambiguousColumn: message(
    "Le champ '{0}' est ambigu. Il apparaît {1} fois dans la relation.",
    "there are {1} columns '{0}': name the table",
  ),
  ambiguousOrigin: message(
    "Le champ '{0}' est ambigu avec l'origine '{1}'.",
    "there is more than one column '{1}.{0}'",
  ),
  noSource: message(
    "Vous ne pouvez pas faire select all si l'origin de la table n'existe pas",
    "* needs a table to select from",
  ),
  aliasUsed: message("Alias '{0}' déjà utilisé", "the name '{0}' is used twice"),
  notByRow: message(
    "Function '{0}' ne peut pas être évaluée ligne-par-ligne",
    "'{0}' is not a function of one row",
  ),
  notGrouped: message(
    "Champ non agrégé doit être dans #vondrona: QualifiedIdentifier [origin={0}, name={1}]",
    "the column '{1}' must be in group by, or within an aggregate function",
  ),
  groupedAggregate: message(
    "Champ agrégé dans GROUP BY",
    "group by takes no aggregate function: write select … from (select k, count(*) n from t group by k) x group by n",
  ),
  groupedAll: message(
    "GROUP BY n'est supporté que pour une liste explicite de champs",
    "groups need a list of fields, not *",
  ),
  noSuchField: message(
    "Tsy misy ny saha {1} : {2} ny isany",
    "{0} {1}, but there are {2} fields, which are counted from 1",
  ),
  unknownFunction: message(
    "Fonction non supportée dans GROUP BY: {0}",
    "there is no aggregate function '{0}': use count, sum, avg, min or max",
  ),
  oneArgument: message("{0} attend exactement 1 argument", "{0} takes one argument"),
  textsArguments: message(
    "{0} attend 1 ou 2 arguments",
    "{0} takes a text and a separator, as in group_concat(s, ', '), or distinct and only a text",
  ),
  longConcatenation: message(
    "Lava loatra ny lahatsoratra : {0}",
    "group_concat would make more than {0} bytes",
  ),
  severalArguments: message(
    "{0} attend exactement 1 argument",
    "{0} takes one argument, whose values it compares in several rows: to compare the values of one row, write case when a > b then a else b end",
  ),
  columnArgument: message(
    "{0} attend un identifiant de colonne (ex: {0}(a))",
    "{0} takes the name of a column",
  ),
  notSupported: message("Tsy misy: {0}; {1}", "not supported: {0}; {1}"),
  noSuchOrigin: message("Tsy misy {0} ao amin'ny fanontaniana", "no table of the query has the name {0}"),
  notNumeric: message(
    "{0} attend une valeur numérique, trouvé: java.lang.String",
    "{0} takes numbers, but found a text",
  ),
  differentWidths: message("{0}({1}) AND {2}({3})", "queries of {1} and of {3} columns ({0}, {2})"),
  subqueryWidth: message(
    "Requête de {0} colonnes",
    "a query as a value, or after in, has one column; this one has {0}",
  ),
  subqueryRows: message(
    "Requête de {0} lignes",
    "a query as a value has at most one row; this one has {0}: add a condition or limit 1, or write in (select …)",
  ),
  outerInOn: message(
    "Requête dans #ka avec {0}",
    "a query in on cannot name {0}, a column of the query around it: write the condition in where",
  ),
  outerInGroups: message(
    "Requête dans un groupe avec {0}",
    "a query in a query with groups cannot name {0}, a column of the query around it, except in where: write select x.k, (select …) from (select k, count(*) n from t group by k) x",
  ),
  outerAggregate: message(
    "{0} dans une requête sans colonne",
    "{0} in a query needs a column of that query; for a column of the query around it, write select … from (select max(k) m from t) x",
  ),
  dividedByZero: message("division by zero numerator = {0} / 0", "division by zero: {0} / 0"),
  tooLarge: message("Be loatra ny isa", "a number becomes too large"),
  misfit: message(
    "can not convert into domain d : Domain{{0}} at values ind={1} { {2} } ",
    "column {3} takes {0}, not {2}",
  ),
  unknownField: message("Champ '{0}' non trouvé dans la relation", "there is no column '{0}'"),
  unknownFieldOf: message("Champ '{0}' non trouvé dans la relation {1}", "{1} has no column '{0}'"),
  otherCount: message(
    "Le nombre de champs ({0}) ne correspond pas au nombre de valeurs ({1})",
    "{0} columns, but {1} values",
  ),
  otherWidth: message(
    "Cannot add  Individual of fields_size={0} in relation({1}) with domains_size {2}",
    "{0} values for the {2} columns of {1}",
  ),
  notUnique: message("Efa misy ny sanda {0} ao amin'ny {1}", "there is already a row whose {1} is {0}"),
  required: message("Tsy azo foanana ny {0}", "{0} is not null: it needs a value"),
  longLike: message(
    "Be loatra ny asa ho an'ny like : {0}",
    "like needs more than {0} steps: use fewer % or shorter texts",
  ),
  wrongEscape: message("Escape tsy mety : {0}", "escape takes one character, not {0}"),
  missing: message("Tsy azo foanana ny {0}", "{0} is a primary key: it must not be null"),
  parameterCount: message(
    "Mila sanda {0} ny fanontaniana, fa {1} no azo",
    "the statement has {0} ?, but {1} arguments",
  ),
  nestedViews: message("Jery mifampiankina be loatra", "more than {0} nested views"),
  tooMany: message("Be loatra ny andalana : {0}", "more than {0} rows would have to be joined"),
  tooMuchWork: message("Be loatra ny andalana jerena : {0}", "more than {0} rows would have to be checked"),
  tooWide: message("Be loatra ny tsanganana : {0}", "more than {0} columns side by side"),
  tooManyTypes: message("Be loatra ny karazana : {0}", "more than {0} types for one column"),
  tooLong: message("Lava loatra ny lahatsoratra", "texts would exceed the maximum length"),
  wrongLimit: message("Fetra tsy mety : {0}", "a limit must be a whole number of at least 0, not {0}"),
} as const satisfies Readonly<Record<string, Message>>;

export type MessageName = keyof typeof MESSAGES;

/** @param about the values of `{0}`, `{1}`, … */
export function sqlFailure(
  language: Language,
  name: MessageName,
  ...about: readonly ByteString[]
): CommandFailure {
  const text = MESSAGES[name][language].replace(/\{(\d)\}/g, (_, number) => about[Number(number)] ?? "");
  return new CommandFailure(`ERR ${text}`);
}

const MISTAKES: Readonly<Record<MistakeKind, Message>> = {
  "unknown-command": message("Commande valide non trouvé", "no such statement"),
  unexpected: message("Diso ny fanontaniana", "syntax"),
  "only-null": message(
    "After 'is' or 'is not' must be 'null' ",
    "'is' and 'is not' must be followed by null",
  ),
  "no-alias": message("Tous les tables dérivé doit avoir leur propre alias", "a query in from needs a name"),
  "dotted-alias": message("un alias ne doit pas contenir un source code '.' ", "a name has no '.'"),
  limit: message("Be loatra", "too much"),
  reserved: message("Teny voatokana", "a reserved word"),
  unsupported: message("Tsy misy", "not supported"),
};

/**
 * Returns a syntax error in one line: the message, the position, and the line of the statement with a caret at the
 * position.
 */
export function mistakeFailure(
  statement: ByteString,
  language: Language,
  { kind, at, found, expected }: SqlMistake,
): CommandFailure {
  const { line, column, shown } = positionIn(statement, at);
  const isUnsupported = kind === "unsupported";
  const what =
    kind === "limit"
      ? bytesOfText(expected)
      : isUnsupported
        ? `${found}; ${bytesOfText(expected)}`
        : `${found === "" ? END[language] : `'${found}'`}, ${EXPECTED[language]} ${bytesOfText(expected)}`;
  const where = `${WHERE[language][0]} ${line}, ${WHERE[language][1]} ${column}`;
  return new CommandFailure(`ERR ${MISTAKES[kind][language]}: ${where}: ${what}: ${shown}`);
}

const END: Readonly<Record<Language, string>> = { malagasy: "farany", english: "the end" };
const EXPECTED: Readonly<Record<Language, string>> = {
  malagasy: "nandrasana",
  english: "expected:",
};
const WHERE: Readonly<Record<Language, readonly [line: string, column: string]>> = {
  malagasy: ["andalana", "toerana"],
  english: ["line", "column"],
};
