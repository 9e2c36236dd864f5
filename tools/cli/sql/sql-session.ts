import type { ServerAddress } from "../../../client/shared/server-url.js";
import { type SqlAnswer, SqlServerClient } from "./sql-server-client.js";

/**
 * The session of one run of `dbsync sql`. It connects when a connection is needed, and reconnects after a connection
 * was lost.
 */
export class SqlSession implements Disposable {
  readonly #address: ServerAddress;
  #server: SqlServerClient | null = null;
  /** The statement that selected the database, and the database's name, or null if none is selected. */
  #selected: { readonly statement: string; readonly database: string } | null = null;
  #isBusy = false;
  /** Settles when the previous statement is answered, because statements are sent one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  /** The name of the selected database, or "" if there is none. */
  get database(): string {
    return this.#selected?.database ?? "";
  }

  /** Whether a statement waits for its answer. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Whether there is a connection. */
  get isOpen(): boolean {
    return this.#server !== null;
  }

  get isDbsyncd(): boolean {
    return this.#server?.isDbsyncd ?? false;
  }

  /** Connects if necessary. @throws Error  there is no server, or it does not speak the protocol */
  async open(): Promise<SqlServerClient> {
    if (this.#server !== null) return this.#server;
    const { host, port } = this.#address;
    const server = await SqlServerClient.open(this.#address).catch((problem: Error) => {
      const question = problem.message.startsWith("Connection refused")
        ? "; is dbsyncd --sql running there?"
        : "";
      throw new Error(`${host}:${port}: ${problem.message}${question}`);
    });
    this.#server = server;
    if (this.#selected !== null) await server.query(this.#selected.statement);
    return server;
  }

  /** Sends a statement. @throws Error  there is no server, or the connection was lost */
  query(statement: string): Promise<SqlAnswer> {
    const answer = this.#turn.then(() => this.#queryNow(statement));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #queryNow(statement: string): Promise<SqlAnswer> {
    const server = await this.open();
    this.#isBusy = true;
    try {
      const answer = await server.query(statement);
      const { databaseChosenBy } = await import("./parsed-statements.js");
      const database = databaseChosenBy(statement);
      if (database !== null && answer.kind === "message") this.#selected = { statement, database };
      return answer;
    } catch (problem) {
      this[Symbol.dispose]();
      throw new Error(`${(problem as Error).message}; it is unknown whether the statement was executed`);
    } finally {
      this.#isBusy = false;
    }
  }

  [Symbol.dispose](): void {
    this.#server?.[Symbol.dispose]();
    this.#server = null;
  }
}
