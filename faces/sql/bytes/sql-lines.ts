/**
 * Parses statements of the SQL line protocol from a stream of bytes. sql-statement.ts finds their ends.
 */
import { type ByteString, bytesOf, isBlank, trimmed } from "../../../protocol/byte-string.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import { SqlScanner } from "./sql-statement.js";

const BEGINNING_BYTES = 1024;

export class SqlLineParser {
  /** The maximum length of a statement in bytes. It may be changed between two statements. */
  maxBytes: number;
  /** The bytes of the incomplete statement. */
  readonly #unfinished = new ReceiveBuffer();
  /** The complete statements. */
  #complete: ByteString[] = [];
  #completeBytes = 0;
  readonly #scanner = new SqlScanner();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#unfinished.length + this.#completeBytes;
  }

  get isMidRequest(): boolean {
    return this.#complete.length > 0 || !this.#isBlank;
  }

  /** Whether the next statement is too long. The parser then returns no more statements. */
  get isTooLong(): boolean {
    return (this.#complete[0]?.length ?? this.#unfinished.length) > this.maxBytes;
  }

  /** The beginning of the next statement, which shows its language. */
  get beginning(): ByteString {
    const { bytes, at, end } = this.#unfinished;
    return (
      this.#complete[0]?.slice(0, BEGINNING_BYTES) ?? bytesOf(bytes, at, Math.min(end, at + BEGINNING_BYTES))
    );
  }

  /** Adds received bytes, and copies them. */
  push(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (!this.#scanner.ends(chunk[at] as number)) continue;
      this.#endStatement(chunk.subarray(from, at));
      from = at + 1;
    }
    const part = chunk.subarray(from);
    this.#unfinished.append(part, part.length);
  }

  /** Ends the stream. The unfinished bytes are a statement. */
  end(): void {
    this.#endStatement(Buffer.alloc(0));
  }

  /** Returns the next complete statement without surrounding spaces; null if it has not arrived. */
  next(): ByteString | null {
    const [statement] = this.#complete;
    if (statement === undefined || statement.length > this.maxBytes) return null;
    this.#complete.shift();
    this.#completeBytes -= statement.length;
    return statement;
  }

  /** Returns the statement that ends with these bytes. */
  #joined(part: Buffer): ByteString {
    const unfinished = this.#unfinished;
    if (unfinished.length === 0) return bytesOf(part);
    unfinished.append(part, part.length);
    const { bytes, at, end } = unfinished;
    const text = bytesOf(bytes, at, end);
    unfinished.clear();
    return text;
  }

  get #isBlank(): boolean {
    const { bytes, at, end } = this.#unfinished;
    for (let i = at; i < end; i++) if (!isBlank(bytes[i] as number)) return false;
    return true;
  }

  #endStatement(part: Buffer): void {
    const text = trimmed(this.#joined(part));
    const statement = this.#scanner.isOnlyComments ? "" : text;
    this.#scanner.reset();
    if (statement === "") return;
    this.#complete.push(statement);
    this.#completeBytes += statement.length;
  }
}
