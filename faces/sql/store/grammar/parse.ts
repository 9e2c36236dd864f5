/**
 * Parses a statement from its bytes alone. The trees of recent short statements are cached, because the daemon needs
 * the tree of a statement several times while it executes it, and clients repeat statements.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Cell } from "../values/cell.js";
import { expression, numberToken } from "./expression-grammar.js";
import { ENGLISH_WORDS, KEYWORDS, type KeywordName, MALAGASY_BEGINNINGS } from "./keywords.js";
import { query, select } from "./query-grammar.js";
import { SqlMistake } from "./syntax-error.js";
import type {
  ColumnDefinition,
  Delete,
  DomainPart,
  Expression,
  Form,
  Insert,
  Language,
  ObjectKind,
  Statement,
  Update,
} from "./syntax-tree.js";
import { TokenReader, tokensOf } from "./token-reader.js";
import { unsupported } from "./unsupported-features.js";

/** A character that separates the names of a database and a table in a key: no name that is created contains it. */
export const SEPARATOR = ":";

/** Maximum number of bytes in a statement: its tokens and its tree take a hundred times as much memory. */
export const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

export interface Parsed {
  /** The statement, or its syntax error. */
  readonly statement: Statement | SqlMistake;
  readonly language: Language;
  /** Number of `?` in the statement. */
  readonly parameters: number;
}

/**
 * Number of different statements after which a new period of the cache begins. The cache contains only the trees that
 * were used in the current period or the previous one. The periods are short, because the garbage collector copies
 * trees that exist for longer, which costs more than parsing the statements again.
 */
const RECENT_MAX = 64;
const KEPT_CHARS_MAX = 2048;
const LONG_MAX = 16;

/** A cache of recent trees. */
class KnownTrees {
  /** Statements that were parsed, or used again, in the current period. */
  #recent = new Map<ByteString, Parsed>();
  /** Statements of the previous period. */
  #previous: ReadonlyMap<ByteString, Parsed> = new Map();
  /**
   * The trees of the last long statements. Each tree is used several times until its statement has been executed, and
   * may be garbage-collected afterwards.
   */
  readonly #long: WeakRef<{ readonly text: ByteString; readonly parsed: Parsed }>[] = [];

  of(text: ByteString): Parsed {
    if (text.length > KEPT_CHARS_MAX) return this.#ofLong(text);
    const known = this.#recent.get(text);
    if (known !== undefined) return known;
    const parsed = this.#previous.get(text) ?? parsedAgain(text);
    if (this.#recent.size >= RECENT_MAX) {
      this.#previous = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(text, parsed);
    return parsed;
  }

  #ofLong(text: ByteString): Parsed {
    for (const each of this.#long) {
      const before = each.deref();
      if (before?.text === text) return before.parsed;
    }
    const parsed = parsedAgain(text);
    if (this.#long.length >= LONG_MAX) this.#long.shift();
    this.#long.push(new WeakRef({ text, parsed }));
    return parsed;
  }
}

const KNOWN = new KnownTrees();

/** Returns a statement's tree. */
export const parse = (text: ByteString): Parsed => KNOWN.of(text);

/** Returns the form of a language's statements. */
export const formOf = (language: Language): Form => (language === "english" ? "standard" : "original");

/**
 * Sticky patterns, which are applied one after the other. A single pattern for all blanks and comments would use stack
 * space for each character, so a long statement would overflow the stack.
 */
const BLANKS = /\s*/y;
const WORD = /[a-z]+/iy;
/** Signs before the first word. No statement is valid with one of them, except Malagasy ones with a `#`. */
const SIGNS = /[(;.\\#\s]*/y;

/**
 * Returns the language of a statement and of its errors. The language follows from the first word. Only English
 * statements may have comments before it. If no statement begins with that word, the language is English. A text
 * without words, such as `;`, is Malagasy only if it contains a `#`.
 */
export function languageOf(text: ByteString): Language {
  let at = afterBlanks(text, 0);
  for (let end = afterComment(text, at); end > at; end = afterComment(text, at)) at = afterBlanks(text, end);
  SIGNS.lastIndex = at;
  SIGNS.test(text);
  WORD.lastIndex = SIGNS.lastIndex;
  const [word = ""] = WORD.exec(text) ?? [];
  const lower = word.toLowerCase();
  if (ENGLISH_WORDS.has(lower)) return "english";
  if (word === "") return text.includes("#") ? "malagasy" : "english";
  return MALAGASY_BEGINNINGS.has(lower) ? "malagasy" : "english";
}

function afterBlanks(text: ByteString, at: number): number {
  BLANKS.lastIndex = at;
  BLANKS.test(text);
  return BLANKS.lastIndex;
}

/** Returns the index after the comment that begins at `at`, or `at` if no complete comment begins there. */
function afterComment(text: ByteString, at: number): number {
  const [open, close] = text.startsWith("--", at)
    ? [2, "\n"]
    : text.startsWith("/*", at)
      ? [2, "*/"]
      : [0, ""];
  if (open === 0) return at;
  const end = text.indexOf(close, at + open);
  if (end >= 0) return end + close.length;
  return close === "\n" ? text.length : at;
}

function parsedAgain(text: ByteString): Parsed {
  const language = languageOf(text);
  const form = formOf(language);
  try {
    if (text.length > STATEMENT_BYTES_MAX)
      throw new SqlMistake("limit", { at: 0, found: "" }, `more than ${STATEMENT_BYTES_MAX} bytes`);
    const reader = new TokenReader(text, tokensOf(text, form), { language, form, query });
    const parsed = statement(reader);
    return { statement: parsed, language, parameters: reader.parameters };
  } catch (mistake) {
    if (!(mistake instanceof SqlMistake)) throw mistake;
    const isStandard = form === "standard";
    return {
      statement: (isStandard ? unsupported(text, mistake) : null) ?? mistake,
      language,
      parameters: 0,
    };
  }
}

const OBJECTS: readonly ObjectKind[] = ["table", "domain", "view", "index"];

/** The statements, by the keyword with which they begin. */
const STATEMENTS: readonly (readonly [keyword: KeywordName, read: (reader: TokenReader) => Statement])[] = [
  ["insert", (reader) => insert(reader)],
  ["replaceInto", (reader) => insert(reader, "replace")],
  ["ignoreInto", (reader) => insert(reader, "ignore")],
  ["update", update],
  ["delete", remove],
  ["create", create],
  ["drop", drop],
  ["show", (reader) => ({ kind: "show", what: kindOf(reader, [...OBJECTS, "database"]) })],
  ["use", (reader) => ({ kind: "use", name: reader.name("a database") })],
  ["describe", (reader) => ({ kind: "describe", name: reader.name("a table or a view") })],
];

/** @throws SqlMistake */
function statement(reader: TokenReader): Statement {
  const { position } = reader;
  const entry = reader.sees("select")
    ? ({ kind: "query", query: query(reader) } as const)
    : STATEMENTS.find(([keyword]) => reader.accept(keyword))?.[1](reader);
  if (entry === undefined) {
    const first = ["select" as const, ...STATEMENTS.map(([keyword]) => keyword)];
    throw new SqlMistake("unknown-command", position, wordsOf(first, reader));
  }

  while (reader.acceptSign(";"));
  if (reader.token.kind !== "end") throw reader.mistake("the end of the statement");

  return entry;
}

function kindOf<Kind extends ObjectKind | "database">(reader: TokenReader, kinds: readonly Kind[]): Kind {
  const kind = kinds.find((each) => reader.accept(each));
  if (kind === undefined) throw new SqlMistake("unknown-command", reader.position, wordsOf(kinds, reader));
  return kind;
}

const wordsOf = (keywords: readonly KeywordName[], { language }: TokenReader): string =>
  keywords.flatMap((keyword) => KEYWORDS[keyword][language].slice(0, 1)).join(", ");

function create(reader: TokenReader): Statement {
  const isUnique = reader.form === "standard" && reader.accept("unique");
  if (isUnique && !reader.sees("index")) throw reader.mistake("index");

  const what = kindOf(reader, [...OBJECTS, "database"]);
  const ifNeeded = reader.accept("unlessExists");
  const name = newName(reader);
  const change = ifNeeded ? { name, ifNeeded } : { name };
  switch (what) {
    case "database":
      return { kind: "create-database", ...change };
    case "domain": {
      reader.expectSign("(");
      const parts = domain(reader);
      reader.expectSign(")");
      return { kind: "create-domain", ...change, domain: parts };
    }
    case "index": {
      reader.expect("on");
      const table = reader.name("a table");
      return { kind: "create-index", ...change, table, columns: list(reader, indexColumn, false), isUnique };
    }
    case "table":
      return { kind: "create-table", ...change, columns: list(reader, columnDefinition, true) };
    case "view": {
      if (reader.language === "malagasy") reader.expectSign("@");
      else if (!reader.acceptSign("@")) reader.expect("as");
      const { at } = reader.token;
      const { parameters } = reader;
      const definition = query(reader);
      if (reader.parameters > parameters) throw new SqlMistake("limit", reader.position, "a ? in a view");
      const text = reader.statement.slice(at, reader.token.at);
      return { kind: "create-view", ...change, query: definition, text };
    }
  }
}

/** Parses a column of an index. A hash index has no order, so the order that may follow has no effect. */
function indexColumn(reader: TokenReader): ByteString {
  const name = reader.name("a column");
  if (!reader.accept("rising")) reader.accept("falling");
  return name;
}

/**
 * Parses the name of an object that is created. A key of the keyspace separates a database from its tables with a `:`,
 * so the table `b` of the database `a:b` would have the key of another table, and an empty name stands for no database.
 */
function newName(reader: TokenReader): ByteString {
  const { position } = reader;
  const name = reader.name("a name");
  if (name === "" || name.includes(SEPARATOR))
    throw new SqlMistake("unexpected", position, `a name of at least one character, without '${SEPARATOR}'`);
  return name;
}

function drop(reader: TokenReader): Statement {
  const what = kindOf(reader, [...OBJECTS, "database"]);
  const ifNeeded = reader.accept("ifExists");
  const name = reader.name("a name");
  const change = ifNeeded ? { name, ifNeeded } : { name };
  return what === "database" ? { kind: "drop-database", ...change } : { kind: "drop", what, ...change };
}

/** Parses a list in parentheses, separated by commas. */
function list<Item>(reader: TokenReader, read: (reader: TokenReader) => Item, mayBeEmpty: boolean): Item[] {
  reader.expectSign("(");
  const items: Item[] = [];
  if (mayBeEmpty && reader.acceptSign(")")) return items;
  do items.push(read(reader));
  while (reader.acceptSign(","));
  reader.expectSign(")");
  return items;
}

function columnDefinition(reader: TokenReader): ColumnDefinition {
  const name = reader.name("a column");
  const parts = domain(reader);
  if (reader.form === "standard") return constrained(reader, { name, domain: parts, uniqueness: "none" });
  const uniqueness = reader.accept("primary") ? "primary" : reader.accept("unique") ? "unique" : "none";
  return { name, domain: parts, uniqueness };
}

/** Parses the constraints after a column's type, in any order. */
function constrained(reader: TokenReader, column: ColumnDefinition): ColumnDefinition {
  let result = column;
  for (;;) {
    const { uniqueness } = result;
    if (reader.accept("primary")) result = { ...result, uniqueness: "primary" };
    else if (reader.accept("unique"))
      result = { ...result, uniqueness: uniqueness === "primary" ? "primary" : "unique" };
    else if (reader.accept("required")) result = { ...result, isRequired: true };
    else if (reader.accept("preset")) result = { ...result, preset: constant(reader) };
    else return result;
  }
}

/** Parses a number, a text or null. */
function constant(reader: TokenReader): Cell {
  const value = literalOrBound(reader);
  if (value.kind === "literal" && typeof value.value !== "boolean") return value.value;
  throw reader.mistake("a number, a text or null");
}

function domain(reader: TokenReader): readonly DomainPart[] {
  const parts: DomainPart[] = [];
  do parts.push(atom(reader));
  while (reader.acceptSign(":"));
  return parts;
}

/**
 * Parses a type with its bounds, or the name of a domain: in Malagasy a type without bounds is the name of a domain, as
 * in the database that `--sql` replaces.
 */
function atom(reader: TokenReader): DomainPart {
  const hasBounds = reader.following.kind === "sign" && reader.following.text === "(";
  const isType = hasBounds || reader.language === "english";
  if (isType && reader.sees("number")) return { kind: "number", ...bounds(reader, "number") };
  if (isType && reader.sees("text")) return { kind: "text", ...bounds(reader, "text") };
  if (reader.accept("date")) return { kind: "date" };
  if (hasBounds && reader.accept("enumeration"))
    return { kind: "enumeration", allowed: list(reader, allowedValue, false) };
  return { kind: "named", name: reader.name("a type or a domain") };
}

function bounds(reader: TokenReader, type: KeywordName): { min: number | null; max: number | null } {
  reader.expect(type);
  if (!reader.acceptSign("(")) return { min: null, max: null };
  const min = edge(reader);
  reader.expectSign(",");
  const max = edge(reader);
  reader.expectSign(")");
  return { min, max };
}

function edge(reader: TokenReader): number | null {
  if (reader.accept("null")) return null;
  const isNegative = reader.acceptSign("-");
  const value = numberToken(reader);
  return isNegative ? 0 - value : value;
}

/** Parses a quoted text, a bare word or a number. */
function allowedValue(reader: TokenReader): Cell {
  const { kind, text } = reader.token;
  if (kind === "number") return numberToken(reader);
  if (kind !== "text" && kind !== "word") throw reader.mistake("a value");
  reader.advance();
  return text;
}

function insert(reader: TokenReader, onConflict?: Insert["onConflict"]): Statement {
  const table = reader.name("a table");
  const isShort =
    reader.language === "english" && !(reader.token.kind === "sign" && reader.token.text === "(");
  const columns = isShort ? [] : list(reader, (each) => each.name("a column"), true);
  const head = {
    kind: "insert",
    ...(onConflict === undefined ? {} : { onConflict }),
    table,
    columns,
  } as const;
  if (reader.sees("select")) return { ...head, source: { query: select(reader) } };

  reader.expect("values");
  return withSubqueries(reader, () => {
    const rows: (readonly Expression[])[] = [];
    do rows.push(list(reader, reader.form === "standard" ? standardValue : literalOrBound, false));
    while (reader.acceptSign(","));
    return { ...head, source: { rows } };
  });
}

/**
 * Parses a value that does not depend on a column. Expressions other than literals and bound values exist only in the
 * standard form.
 */
function standardValue(reader: TokenReader): Expression {
  const value = expression(reader);
  if (value.kind === "literal" || value.kind === "parameter") return value;
  if (
    value.kind === "negative" &&
    value.operand.kind === "literal" &&
    typeof value.operand.value === "number"
  )
    return { kind: "literal", value: 0 - value.operand.value };
  return value.kind === "column" && value.isQuoted === true ? { kind: "literal", value: value.name } : value;
}

/** Parses a literal or a bound value. */
function literalOrBound(reader: TokenReader): Expression {
  const isNegative = reader.acceptSign("-");
  if (isNegative) return { kind: "literal", value: 0 - numberToken(reader) };

  const { kind, text } = reader.token;
  if (kind === "number") return { kind: "literal", value: numberToken(reader) };
  if (kind === "text") return { kind: "literal", value: reader.advance().text };
  if (kind === "sign" && text === "?") {
    reader.advance();
    return { kind: "parameter", number: reader.parameters++ };
  }
  if (reader.accept("null")) return { kind: "literal", value: null };
  throw reader.mistake("a number, a text, null or ?");
}

function update(reader: TokenReader): Statement {
  const table = reader.name("a table");
  reader.expect("set");
  return withSubqueries(reader, () => {
    const changes: { column: ByteString; value: Expression }[] = [];
    do {
      const name = reader.name("a column");
      reader.expectSign("=");
      changes.push({ column: name, value: expression(reader) });
    } while (reader.acceptSign(","));
    return { kind: "update", table, changes, where: condition(reader) };
  });
}

function remove(reader: TokenReader): Statement {
  const table = reader.name("a table");
  return withSubqueries(reader, () => ({ kind: "delete", table, where: condition(reader) }));
}

/** Parses a change. Only expressions of the standard form contain queries. */
function withSubqueries(reader: TokenReader, read: () => Insert | Update | Delete): Statement {
  if (reader.form !== "standard") return read();
  reader.subqueries = 0;
  const change = read();
  return reader.subqueries > 0 ? { ...change, hasSubqueries: true } : change;
}

const condition = (reader: TokenReader): Expression | null =>
  reader.accept("where") ? expression(reader) : null;
