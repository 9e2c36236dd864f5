/**
 * Reads a JSON text that arrives in pieces and may be too long for memory. It finds brackets, names and commas, and
 * returns values as they are written.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

export class JsonPieces {
  readonly #pieces: AsyncIterator<string, void, undefined>;
  #text = "";
  #at = 0;

  constructor(pieces: AsyncIterator<string, void, undefined>) {
    this.#pieces = pieces;
  }

  /** Returns the next character that is not white space. @throws Error  the text ends before it */
  async peek(): Promise<string> {
    for (;;) {
      while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
      if (this.#at < this.#text.length) return this.#text[this.#at]!;
      await this.#more();
    }
  }

  /** Consumes the expected character. @throws Error  the next character is a different one */
  async take(expected: string): Promise<void> {
    const found = await this.peek();
    if (found !== expected) throw new Error(`unexpected JSON: ${found} instead of ${expected}`);
    this.#at++;
  }

  /** Consumes and returns the name of a member, and consumes its colon. */
  async name(): Promise<string> {
    await this.peek();
    const name: unknown = JSON.parse(await this.value());
    if (typeof name !== "string") throw new Error("unexpected JSON: a member without a name");
    await this.take(":");
    return name;
  }

  /**
   * Yields the names of the object's members, or the indexes of the list's elements. The caller must read each value
   * before it requests the next name.
   */
  async *members(): AsyncGenerator<string, void, undefined> {
    const isList = (await this.peek()) === "[";
    await this.take(isList ? "[" : "{");
    const end = isList ? "]" : "}";
    for (let index = 0; (await this.peek()) !== end; index++) {
      if (index > 0) await this.take(",");
      yield isList ? String(index) : await this.name();
    }
    await this.take(end);
  }

  /** Returns a complete value as it is written. */
  async value(): Promise<string> {
    await this.peek();
    let depth = 0;
    let inString = false;
    for (let length = 0; ; length++) {
      while (this.#at + length >= this.#text.length) await this.#more();
      const code = this.#text.charCodeAt(this.#at + length);
      if (inString) {
        if (code === BACKSLASH) length++;
        else if (code === QUOTE) inString = false;
        if (inString || depth > 0) continue;
        return this.#consume(length + 1);
      }
      if (code === QUOTE) inString = true;
      else if (OPENING.has(code)) depth++;
      else if (CLOSING.has(code)) {
        if (--depth < 0) return this.#consume(length);
        if (depth === 0) return this.#consume(length + 1);
      } else if (code === COMMA && depth === 0) return this.#consume(length);
    }
  }

  #consume(length: number): string {
    const value = this.#text.slice(this.#at, this.#at + length).trimEnd();
    this.#at += length;
    return value;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#pieces.next();
    if (done) throw new Error("the JSON ends too early");
    this.#text = this.#text.slice(this.#at) + value;
    this.#at = 0;
  }
}
