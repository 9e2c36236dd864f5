/**
 * The words of statements in both languages: the table that the grammar uses and from which docs/sql.md is generated.
 * Source: test/vectors/sql/GRAMMAR.md; the words for features that the original does not have are ours.
 */
import type { Language } from "./tree.js";

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
  drop: word("ravao ny", "drop", "removes one"),
  show: word("asehoy ny", "show", "lists all names"),
  use: word("ampiasao", "use", "selects a database (on `--sql`, for the rest of the connection)"),
  describe: word("famaritana", "describe", "lists a table's columns"),
  database: word("tahiry", "database|databases", "a database"),
  table: word("tabilao", "table|tables", "a table"),
  domain: word("efitra", "domain|domains", "a type with a name"),
  view: word("jery", "view|views", "a query with a name"),
  insert: word("manampia ao", "insert into", "adds rows to a table"),
  values: word("sanda", "values", "the rows to add"),
  update: word("havaozy", "update", "changes rows of a table"),
  set: word("ova", "set", "the new values"),
  delete: word("fafao ao", "delete from", "removes rows of a table"),
  select: word("alaivo", "select", "returns rows"),
  distinct: word("samihafa", "distinct", "equal rows once"),
  from: word("ao", "from", "the source of rows"),
  as: word("antso", "as", "an alias"),
  join: word("tonona", "join", "combines rows of two tables"),
  inner: word("anatiny", "inner", "a join: only matching rows"),
  left: word("avia|ankavia", "left", "a join: also left rows without a match"),
  right: word("avanana|ankavanana", "right", "a join: also right rows without a match"),
  full: word("feno", "full", "a join: also rows of either side without a match"),
  natural: word("natoraly", "natural", "a join by the columns of the same name"),
  cross: standardWord("cross", "a join: each row with each row; a comma between tables is the same"),
  outer: standardWord("outer", "may follow `left`, `right` and `full`"),
  on: word("ka", "on", "the condition of a join"),
  where: word("rehefa", "where", "the condition for rows"),
  group: word("vondrona", "group by", "groups rows with the same values"),
  having: word("fepetra", "having", "the condition for groups"),
  order: word("alahatra", "order by", "sorts"),
  rising: word("miakatra", "asc", "ascending, the default"),
  falling: word("midina", "desc", "descending"),
  limit: word("fetra|limit", "limit", "a part of the rows: see Two languages"),
  offset: word(
    "manomboka",
    "offset",
    "after a limit of one number: the rows from this index on (the first is 0)",
  ),
  union: word("ankambana", "union", "rows of either query, without duplicates"),
  difference: word("analana", "except", "rows of the first query that are not in the second one"),
  all: standardWord("all", "after `union`: equal rows stay"),
  intersection: word("atifitra", "intersect", "rows that are in both queries, without duplicates"),
  and: word("ary", "and", "both conditions"),
  or: word("na", "or", "one of them, or both"),
  not: word("tsy", "not", "negation; in a condition also `!`"),
  is: word("dia", "is", "before `null`, or `not null`"),
  null: word("null", "null", "nothing"),
  in: standardWord("in", "equal to a value of a list"),
  between: standardWord("between", "from one value to another, inclusive"),
  like: standardWord("like", "a text of this form: `%` is any text, `_` any character"),
  escape: standardWord("escape", "after `like`: the character that makes a following `%` or `_` literal"),
  number: word("ISA", "number", "a type: numbers within bounds"),
  text: word("LAHATSORATRA", "text", "a type: texts, with bounds on their length"),
  date: word("DATY", "date", "a type: dates, `2026-11-21` or `2026-11-21 18:30:00`"),
  enumeration: word("TANISA", "enum", "a type: the listed values"),
  primary: word("fototra", "primary key", "a column without equal values, and without null"),
  unique: word("tokana", "unique", "a column without equal values"),
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

/** The first words of English phrases in the recorded form: none of them is an alias there if `as` is left out. */
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
