import type { SqlSession } from "./sql-session.js";

// The words are made by npm run tables from the store's table of keywords.
const WORDS =
  "alahatra alaivo all ampiasao analana anatiny and ankambana ankavanana ankavia antso ao ary as asc " +
  "asehoy atifitra avanana avia between by case create cross database databases date daty default " +
  "delete desc describe dia distinct domain domains drop efitra else end enum escape except exists " +
  "fafao famaritana feno fepetra fetra fototra from full group havaozy having if ignore in index " +
  "indexes inner insert intersect into is isa jery join ka key lahatsoratra left like limit manamboara " +
  "manampia manomboka miakatra midina na natoraly natural not null number ny offset on or order outer " +
  "ova primary ravao rehefa replace right samihafa sanda select set show tabilao table tables tahiry " +
  "tanisa text then tokana tonona tsy union unique update use values view views vondrona when where";
// The end of what is made by npm run tables.

const STATEMENT_WORDS: readonly string[] = WORDS.split(" ");
/** The name that is being typed. Keywords of the original server may begin and end with `#` and `@`. */
const TYPED_NAME = /[\p{L}_][\p{L}\p{N}_]*$/u;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/gu;

/** The completion of words of statements, and of the names of databases, tables, views and columns, in `dbsync sql`. */
export class Completion {
  readonly #session: SqlSession;
  /** Names of columns by selected database and table; for the table "", names of databases, tables and views. */
  readonly #names = new Map<string, Promise<readonly string[]>>();

  constructor(session: SqlSession) {
    this.#session = session;
  }

  /** Discards the cached names, which a statement may have changed. */
  forget(): void {
    this.#names.clear();
  }

  /**
   * Returns candidates.
   * @param line    the line up to the cursor
   * @param before  the previous lines of the statement
   * @returns the candidates and the text that they complete, as node:readline requires
   */
  async offer(line: string, before: string): Promise<[string[], string]> {
    const [typed = ""] = TYPED_NAME.exec(line) ?? [];
    if (typed === "") return [[], ""];
    const lower = typed.toLowerCase();
    const isUpper = typed === typed.toUpperCase() && typed !== lower;
    const words = STATEMENT_WORDS.filter((word) => word.toLowerCase().startsWith(lower));
    const names = (await this.#namesFor(before + line)).filter((name) => name.startsWith(typed));
    const cased = words.map((word) => (isUpper ? word.toUpperCase() : word.toLowerCase()));
    return [[...new Set([...names, ...cased])], typed];
  }

  async #namesFor(statement: string): Promise<readonly string[]> {
    // A further request would have to wait for the pending answer.
    if (this.#session.isBusy || !this.#session.isOpen) return [];
    const { database } = this.#session;

    const objects = await this.#cached("", async () => {
      const kinds = database === "" ? ["tahiry"] : ["tahiry", "tabilao", "jery"];
      const lists: (readonly string[])[] = [];
      for (const kind of kinds) lists.push(await this.#firstColumn(`asehoy ny ${kind}`));
      return lists.flat();
    });

    const mentioned = new Set(statement.match(NAME) ?? []);
    const columns: string[] = [];
    for (const name of objects)
      if (mentioned.has(name)) columns.push(...(await this.#cached(name, () => this.#columnsOf(name))));
    return [...objects, ...columns];
  }

  /**
   * Returns cached names, or fetches them.
   * @param table  the table whose columns are requested, or "" for the names of databases, tables and views
   */
  #cached(table: string, query: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const key = `${this.#session.database}\n${table}`;
    const names = this.#names.get(key) ?? query().catch(() => []);
    this.#names.set(key, names);
    return names;
  }

  /**
   * Returns the columns of a table. The original server cannot describe a table, but its answer to a query contains the
   * columns even if there are no rows.
   */
  async #columnsOf(name: string): Promise<readonly string[]> {
    if (this.#session.isDbsyncd) return await this.#firstColumn(`describe ${name}`);
    const answer = await this.#session.query(`alaivo * #ao@ ${name} #fetra 0 0`);
    return answer.kind === "relation" ? answer.columns : [];
  }

  async #firstColumn(statement: string): Promise<readonly string[]> {
    const answer = await this.#session.query(statement);
    return answer.kind === "relation" ? answer.rows.map(([name]) => String(name)) : [];
  }
}
