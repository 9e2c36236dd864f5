/** Reads the text of a view, in either language, as far as it is a query that the earlier server can read back. */
import type { JoinKind, SetOperator, ViewQuery, ViewSelect, ViewSource } from "./view-query.js";

interface Token {
  readonly text: string;
  readonly isWord: boolean;
  /** A Malagasy word with `#` before it or `@` behind it, which is no name. */
  readonly isMarked: boolean;
}

const TOKEN = /\s*(?:(#\s*)?([\p{L}_][\p{L}\p{N}_]*)(\s*@)?|#?\s*([*():+^@-]))\s*/uy;

const ENGLISH_JOINS: Readonly<Record<string, JoinKind>> = {
  inner: "inner",
  left: "left",
  right: "right",
  full: "full",
  natural: "natural",
};
const MALAGASY_JOINS: Readonly<Record<string, JoinKind>> = {
  anatiny: "inner",
  avia: "left",
  ankavia: "left",
  avanana: "right",
  ankavanana: "right",
  feno: "full",
  natoraly: "natural",
};
const ENGLISH_SETS: Readonly<Record<string, SetOperator>> = {
  union: "union",
  except: "difference",
  intersect: "intersection",
};
const MALAGASY_SETS: Readonly<Record<string, SetOperator>> = {
  ankambana: "union",
  "+": "union",
  analana: "difference",
  "-": "difference",
  atifitra: "intersection",
  "^": "intersection",
};
/** Behind a source these are no name of it. */
const ENGLISH_WORDS = new Set([
  ...Object.keys(ENGLISH_JOINS),
  ...Object.keys(ENGLISH_SETS),
  ...["join", "on", "where", "group", "having", "order", "limit", "select", "from", "as", "distinct"],
]);

/** It is another kind of query. */
class OtherQuery extends Error {}

/** @returns null: it is another kind of query */
export function readView(text: string): ViewQuery | null {
  const tokens = tokensOf(text);
  if (tokens === null) return null;
  const reader = new ViewReader(tokens);
  try {
    const query = reader.query();
    return reader.isAtEnd ? query : null;
  } catch (problem) {
    if (problem instanceof OtherQuery) return null;
    throw problem;
  }
}

function tokensOf(text: string): readonly Token[] | null {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const [, before, word, behind, sign] = TOKEN.exec(text) ?? [];
    if (word === undefined && sign === undefined) return null;
    const isMarked = before !== undefined || behind !== undefined;
    tokens.push({ text: word ?? sign ?? "", isWord: word !== undefined, isMarked });
  }
  return tokens;
}

class ViewReader {
  readonly #tokens: readonly Token[];
  readonly #isEnglish: boolean;
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#isEnglish = tokens[0]?.text.toLowerCase() === "select";
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  query(): ViewQuery {
    let left: ViewQuery = this.#select();
    for (;;) {
      const operator = (this.#isEnglish ? ENGLISH_SETS : MALAGASY_SETS)[this.#next];
      if (operator === undefined) return left;
      this.#at++;
      this.#take("@");
      left = { kind: "set", operator, left, right: this.#operand() };
    }
  }

  #operand(): ViewQuery {
    if (!this.#take("(")) return this.#select();
    const inner = this.query();
    this.#expect(")");
    return inner;
  }

  #select(): ViewSelect {
    this.#expect(this.#isEnglish ? "select" : "alaivo");
    this.#expect("*");
    this.#expect(this.#isEnglish ? "from" : "ao");
    const from = this.#source();
    const joins: ViewSelect["joins"][number][] = [];
    for (let kind = this.#join(); kind !== null; kind = this.#join())
      joins.push({ kind, source: this.#source() });
    return { kind: "select", from, joins };
  }

  #join(): JoinKind | null {
    if (this.#isEnglish) {
      const kind = ENGLISH_JOINS[this.#next];
      if (kind !== undefined) {
        this.#at++;
        this.#expect("join");
      } else if (!this.#take("join")) return null;
      return kind ?? "inner";
    }
    if (!this.#take("tonona")) return null;
    if (!this.#take(":") || this.#take("@")) return "inner";
    const kind = MALAGASY_JOINS[this.#next];
    if (kind === undefined) throw new OtherQuery();
    this.#at++;
    return kind;
  }

  #source(): ViewSource {
    if (!this.#take("(")) return { kind: "named", name: this.#name(), alias: this.#alias() };
    if (this.#next === (this.#isEnglish ? "select" : "alaivo")) {
      const query = this.query();
      this.#expect(")");
      const alias = this.#alias();
      if (alias === null) throw new OtherQuery();
      return { kind: "derived", query, alias };
    }
    const name = this.#name();
    this.#expect(")");
    return { kind: "named", name, alias: this.#alias() };
  }

  #alias(): string | null {
    if (this.#take(this.#isEnglish ? "as" : "antso")) return this.#name();
    const token = this.#tokens[this.#at];
    if (token === undefined || !token.isWord) return null;
    if (this.#isEnglish ? ENGLISH_WORDS.has(token.text.toLowerCase()) : token.isMarked) return null;
    return this.#name();
  }

  #name(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined || !token.isWord) throw new OtherQuery();
    this.#at++;
    return token.text;
  }

  get #next(): string {
    return this.#tokens[this.#at]?.text.toLowerCase() ?? "";
  }

  #take(text: string): boolean {
    if (this.#next !== text) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new OtherQuery();
  }
}
