/**
 * Reads a JSON text that arrives piece by piece and is too long for memory, by its brackets, names and commas; values are returned as they are
 * written.
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

  /** Returns the next character that is not blank. @throws Error  the text ends before it */
  async peek(): Promise<string> {
    for (;;) {
      while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
      if (this.#at < this.#text.length) return this.#text[this.#at]!;
      await this.#more();
    }
  }

  /** Consumes that character. @throws Error  the next one is another */
  async take(wanted: string): Promise<void> {
    const found = await this.peek();
    if (found !== wanted) throw new Error(`not the JSON that was expected: ${found} instead of ${wanted}`);
    this.#at++;
  }

  /** Consumes the name of a member and its colon. */
  async name(): Promise<string> {
    await this.peek();
    const name: unknown = JSON.parse(await this.value());
    if (typeof name !== "string") throw new Error("not the JSON that was expected: a member without a name");
    await this.take(":");
    return name;
  }

  /**
   * Yields the members of the list or object that begins here; the caller must read each value before the next member.
   * @returns names; for a list, the indexes
   */
  async *members(): AsyncGenerator<string, void, undefined> {
    const isList = (await this.peek()) === "[";
    await this.take(isList ? "[" : "{");
    const end = isList ? "]" : "}";
    for (let place = 0; (await this.peek()) !== end; place++) {
      if (place > 0) await this.take(",");
      yield isList ? String(place) : await this.name();
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
        return this.#taken(length + 1);
      }
      if (code === QUOTE) inString = true;
      else if (OPENING.has(code)) depth++;
      else if (CLOSING.has(code)) {
        if (--depth < 0) return this.#taken(length);
        if (depth === 0) return this.#taken(length + 1);
      } else if (code === COMMA && depth === 0) return this.#taken(length);
    }
  }

  #taken(length: number): string {
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
