/**
 * The words of statements in both languages: the table that the grammar uses and from which docs/sql.md is generated.
 * Source: test/vectors/sql/GRAMMAR.md; the words for features that the database replaced by `--sql` does not have are
 * ours.
 */
import type { Language } from "./syntax-tree.js";

export interface Keyword {
  /** The spellings; the words of one spelling must follow each other. The first spelling is the usual one. */
  readonly malagasy: readonly string[];
  readonly english: readonly string[];
  readonly meaning: string;
  /** Whether only English statements of the standard form have it. */
  readonly isStandard?: true;
}

const word = (malagasy: string, english: string, meaning: string): Keyword => ({
  malagasy: malagasy.split("|"),
  english: english.split("|"),
  meaning,
});

const standardWord = (english: string, meaning: string): Keyword => ({
  malagasy: [],
  english: english.split("|"),
  meaning,
  isStandard: true,
});

export const KEYWORDS = {
  create: word("manamboara", "create", "creates a database, a table, a domain or a view"),
  drop: word("ravao ny", "drop", "removes a database, a table, a domain or a view"),
  show: word("asehoy ny", "show", "lists all names"),
  use: word("ampiasao", "use", "selects a database (on `--sql`, for the rest of the connection)"),
  describe: word("famaritana", "describe", "lists a table's columns"),
  database: word("tahiry", "database|databases", "a database"),
  table: word("tabilao", "table|tables", "a table"),
  domain: word("efitra", "domain|domains", "a type with a name"),
  view: word("jery", "view|views", "a query with a name"),
  index: standardWord("index|indexes", "an index of a table: see [Indexes](#indexes)"),
  unlessExists: standardWord("if not exists", "in `create`: does nothing if there is already such an object"),
  ifExists: standardWord("if exists", "in `drop`: does nothing if there is no such object"),
  insert: word("manampia ao", "insert into", "adds rows to a table"),
  replaceInto: standardWord(
    "replace into|insert or replace into",
    "as `insert into`, but first removes the rows that have a unique value of the new ones",
  ),
  ignoreInto: standardWord(
    "insert or ignore into",
    "as `insert into`, but omits rows whose unique value a row already has",
  ),
  values: word("sanda", "values", "the rows to add"),
  update: word("havaozy", "update", "changes rows of a table"),
  set: word("ova", "set", "the new values"),
  delete: word("fafao ao", "delete from", "removes rows of a table"),
  select: word("alaivo", "select", "returns rows"),
  distinct: word("samihafa", "distinct", "returns equal rows only once"),
  from: word("ao", "from", "the source of rows"),
  as: word("antso", "as", "an alias"),
  join: word("tonona", "join", "combines rows of two tables"),
  inner: word("anatiny", "inner", "a join that returns only matching rows"),
  left: word("avia|ankavia", "left", "a join that also returns left rows without a match"),
  right: word("avanana|ankavanana", "right", "a join that also returns right rows without a match"),
  full: word("feno", "full", "a join that also returns rows of either side without a match"),
  natural: word("natoraly", "natural", "a join by the columns of the same name"),
  cross: standardWord("cross", "a join of every row with every row; a comma between tables is the same"),
  outer: standardWord("outer", "may follow `left`, `right` and `full`"),
  on: word("ka", "on", "the condition of a join"),
  where: word("rehefa", "where", "the condition for rows"),
  group: word("vondrona", "group by", "groups rows with the same values"),
  having: word("fepetra", "having", "the condition for groups"),
  order: word("alahatra", "order by", "sorts rows"),
  rising: word("miakatra", "asc", "ascending, the default"),
  falling: word("midina", "desc", "descending"),
  limit: word("fetra|limit", "limit", "returns a part of the rows: see Two languages"),
  offset: word(
    "manomboka",
    "offset",
    "after a limit of one number: the index of the first row to return (from 0)",
  ),
  union: word("ankambana", "union", "rows of either query, without duplicates"),
  difference: word("analana", "except", "rows of the first query that are not in the second one"),
  all: standardWord("all", "after `union`: keeps equal rows; after `select` and in aggregates: the default"),
  intersection: word("atifitra", "intersect", "rows that are in both queries, without duplicates"),
  and: word("ary", "and", "both conditions must hold"),
  or: word("na", "or", "at least one of the conditions must hold"),
  not: word("tsy", "not", "negation; in a condition also `!`"),
  is: word("dia", "is", "before `null`, or `not null`"),
  null: word("null", "null", "no value"),
  in: standardWord("in", "whether a value is in a list"),
  exists: standardWord("exists", "whether a query has rows"),
  between: standardWord("between", "whether a value is between two values, inclusive"),
  like: standardWord("like", "whether a text has this form: `%` is any text, `_` any character"),
  escape: standardWord("escape", "after `like`: the character that makes a following `%` or `_` literal"),
  case: standardWord("case", "a value that depends on conditions"),
  when: standardWord("when", "in a `case`: a condition, or a value to compare"),
  result: standardWord("then", "in a `case`: the result after `when`"),
  else: standardWord("else", "in a `case`: the result if no `when` applies; otherwise null"),
  end: standardWord("end", "the end of a `case`"),
  number: word("ISA", "number", "a type: numbers within limits"),
  text: word("LAHATSORATRA", "text", "a type: texts, with limits on their length"),
  date: word("DATY", "date", "a type: dates, `2026-11-21` or `2026-11-21 18:30:00`"),
  enumeration: word("TANISA", "enum", "a type: the listed values"),
  primary: word("fototra", "primary key", "a column in which no value occurs twice, and null does not occur"),
  unique: word("tokana", "unique", "a column in which no value occurs twice"),
  required: standardWord("not null", "a column that rejects null"),
  preset: standardWord("default", "the value of a column that an insert does not name"),
} as const satisfies Readonly<Record<string, Keyword>>;

export type KeywordName = keyof typeof KEYWORDS;

const NAMES = Object.keys(KEYWORDS) as readonly KeywordName[];

/** Spellings of a keyword, the longest first, each as its words in lower case. */
export type Phrases = readonly (readonly string[])[];

function phrasesOf(language: Language): Readonly<Record<KeywordName, Phrases>> {
  const phrases: Partial<Record<KeywordName, Phrases>> = {};
  for (const [name, keyword] of Object.entries(KEYWORDS))
    phrases[name as KeywordName] = keyword[language].map((phrase) => phrase.toLowerCase().split(" "));
  return phrases as Record<KeywordName, Phrases>;
}

export const PHRASES: Readonly<Record<Language, Readonly<Record<KeywordName, Phrases>>>> = {
  malagasy: phrasesOf("malagasy"),
  english: phrasesOf("english"),
};

/** The first words of English phrases in the original form: none of them is an alias there if `as` is left out. */
export const ENGLISH_WORDS: ReadonlySet<string> = new Set(
  NAMES.filter((name) => !("isStandard" in KEYWORDS[name])).flatMap((name) =>
    PHRASES.english[name].map(([first]) => first as string),
  ),
);

/** The first words of Malagasy statements. */
export const MALAGASY_BEGINNINGS: ReadonlySet<string> = new Set(
  (["create", "drop", "show", "use", "describe", "insert", "update", "delete", "select"] as const).flatMap(
    (name) => PHRASES.malagasy[name].map(([first]) => first as string),
  ),
);

/** Words that cannot be names in standard statements unless they are in double quotes; some have no meaning yet. */
export const RESERVED_WORDS: ReadonlySet<string> = new Set(
  (
    "all and as asc between by case create cross delete desc distinct drop else end except exists from full group " +
    "having in inner insert intersect into is join left like limit natural not null offset on or order outer right " +
    "select set then union update using values when where"
  ).split(" "),
);
