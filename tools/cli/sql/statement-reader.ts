/** Splits typed or piped input into statements for servers of the SQL line protocol. */

import { SqlLineParser } from "../../../faces/sql/bytes/sql-lines.js";
import { textOfBytes } from "../../../protocol/byte-string.js";

/**
 * Maximum length of a statement in bytes, to detect input that is not SQL. It is larger than the limit of servers,
 * which report longer statements themselves.
 */
const STATEMENT_BYTES_MAX = 64 * 1024 * 1024;

/** Splits typed or piped input into statements. */
export class StatementReader {
  #parser = new SqlLineParser(STATEMENT_BYTES_MAX);

  /** Whether a statement has begun but not ended. */
  get isMidStatement(): boolean {
    return this.#parser.isMidRequest;
  }

  /** Adds input. @returns the complete statements, without `;` @throws Error  a statement is too long */
  push(chunk: Buffer): string[] {
    this.#parser.push(chunk);
    if (this.#parser.isTooLong) throw new Error("a statement is too long; end each statement with a ;");
    return this.#complete();
  }

  /** Ends the input. @returns the last statement if it did not end with `;` */
  end(): string[] {
    this.#parser.end();
    return this.#complete();
  }

  /** Discards the unfinished statement. */
  drop(): void {
    this.#parser = new SqlLineParser(STATEMENT_BYTES_MAX);
  }

  #complete(): string[] {
    const statements: string[] = [];
    for (let next = this.#parser.next(); next !== null; next = this.#parser.next())
      statements.push(textOfBytes(next));
    return statements;
  }
}
