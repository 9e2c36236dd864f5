/** Statements as they are typed, and as servers of the line protocol take them. */
import { textOfBytes } from "../../protocol/byte-string.js";
import { SqlLineParser } from "../../protocol/sql-lines.js";

/** Bytes of a statement, more than a server takes, which says so itself: a longer one is no file of statements at all. */
const STATEMENT_BYTES_MAX = 64 * 1024 * 1024;

/** Statements out of what is typed or piped in. */
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

  /** Nothing more comes: what has begun is a statement, as it is. */
  end(): string[] {
    this.#parser.end();
    return this.#ended();
  }

  /** Forgets what has begun. */
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
