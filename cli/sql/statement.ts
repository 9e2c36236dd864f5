/** Statements as they are typed, and as servers of the line protocol accept them. */
import { textOfBytes } from "../../protocol/byte-string.js";
import { SqlLineParser } from "../../protocol/sql-lines.js";

/**
 * Maximum bytes of a statement, above a server's own limit, which the server reports itself: a longer text is not a file
 * of statements.
 */
const STATEMENT_BYTES_MAX = 64 * 1024 * 1024;

/** Splits typed or piped input into statements. */
export class StatementReader {
  #parser = new SqlLineParser(STATEMENT_BYTES_MAX);

  /** Whether one has begun and not ended. */
  get isMidStatement(): boolean {
    return this.#parser.isMidRequest;
  }

  /** @returns the statements that have ended, without their `;` @throws Error  one is longer than any may be */
  push(chunk: Buffer): string[] {
    this.#parser.push(chunk);
    if (this.#parser.isTooLong) throw new Error("a statement has no end: each ends with a ;");
    return this.#ended();
  }

  /** Ends the input: an unfinished statement is complete as it is. */
  end(): string[] {
    this.#parser.end();
    return this.#ended();
  }

  /** Discards the unfinished statement. */
  drop(): void {
    this.#parser = new SqlLineParser(STATEMENT_BYTES_MAX);
  }

  #ended(): string[] {
    const statements: string[] = [];
    for (let next = this.#parser.next(); next !== null; next = this.#parser.next())
      statements.push(textOfBytes(next));
    return statements;
  }
}
