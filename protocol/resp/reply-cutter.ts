/**
 * Cuts a stream of RESP2 or RESP3 replies into whole ones, without looking at what they say: for programs that pass them on. Each byte is
 * looked at once, long strings not at all.
 */
import type { ByteString } from "../byte-string.js";

const END = "\r\n";
/** Deeper ones are nobody's. */
const NESTING_MAX = 64;
const LENGTH = /^(?:-1|0|[1-9]\d{0,9})$/;
/** Lines are strings without a length, and are bounded as whole replies are. */
const PUSH = ">";

/** In place of a reply that is longer than any may be: what comes behind it can be read. */
const TOO_LONG = "-ERR the answer is longer than any may be\r\n";

export class RespReplyCutter {
  /** Why the rest of the stream cannot be read; null: it can. */
  problem: "no-reply" | "too-long" | null = null;
  readonly #maxBytes: number;
  /** Called for each whole reply. */
  readonly #take: (reply: ByteString, isPush: boolean) => void;
  /** Of the reply that has not ended: what has been looked at. */
  #parts: ByteString[] = [];
  #partsBytes = 0;
  /** What has come of a line that has not ended. */
  #rest: ByteString = "";
  /** Bytes of a string, and its end, that are still to come. */
  #skip = 0;
  /** Elements that are still to come, of arrays within arrays. */
  readonly #missing: number[] = [];
  #isPush = false;
  /** Whether the reply that has not ended is too long, and what comes of it is dropped. */
  #isDropped = false;

  /** @param maxBytes  of a reply */
  constructor(maxBytes: number, take: (reply: ByteString, isPush: boolean) => void) {
    this.#maxBytes = maxBytes;
    this.#take = take;
  }

  /** Of the reply that has not ended. */
  get heldBytes(): number {
    return this.#partsBytes + this.#rest.length;
  }

  get #hasBegun(): boolean {
    return this.#partsBytes > 0 || this.#isDropped;
  }

  push(chunk: ByteString): void {
    const text = this.#rest === "" ? chunk : this.#rest + chunk;
    let from = 0;
    let at = 0;
    while (this.problem === null && at < text.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, text.length - at);
        this.#skip -= skipped;
        at += skipped;
        if (this.#skip > 0) break;
      } else {
        const end = text.indexOf(END, at);
        if (end < 0) break;
        const isElement = this.#readLine(text, at, end, at === from && !this.#hasBegun);
        at = end + END.length;
        if (!isElement) continue;
      }
      if (!this.#endElement()) continue;
      this.#end(text.slice(from, at));
      from = at;
    }
    this.#keep(text.slice(from, at), text.slice(at));
  }

  /** @returns whether an element ends with this line */
  #readLine(text: ByteString, at: number, end: number, isFirst: boolean): boolean {
    const type = text[at] as string;
    if (isFirst) this.#isPush = type === PUSH;
    switch (type) {
      case "$":
      case "=":
      case "!": {
        const length = this.#lengthIn(text, at, end);
        if (length >= 0) this.#skip = length + END.length;
        return length < 0;
      }
      case "*":
      case "~":
      case PUSH:
        return this.#begin(this.#lengthIn(text, at, end));
      case "%":
        return this.#begin(2 * this.#lengthIn(text, at, end));
      case "|":
        // What they are said of follows.
        return this.#begin(2 * this.#lengthIn(text, at, end) + 1);
      default:
        if (!"+-:_#,(".includes(type)) this.problem = "no-reply";
        return true;
    }
  }

  #begin(elements: number): boolean {
    if (elements <= 0) return true;
    if (this.#missing.length >= NESTING_MAX) this.problem = "no-reply";
    this.#missing.push(elements);
    return false;
  }

  #lengthIn(text: ByteString, at: number, end: number): number {
    const digits = text.slice(at + 1, end);
    if (LENGTH.test(digits)) return Number(digits);
    this.problem = "no-reply";
    return 0;
  }

  /** @returns whether the reply ends with it */
  #endElement(): boolean {
    const missing = this.#missing;
    while (missing.length > 0) {
      const left = (missing[missing.length - 1] as number) - 1;
      if (left > 0) {
        missing[missing.length - 1] = left;
        return false;
      }
      missing.pop();
    }
    return true;
  }

  #end(last: ByteString): void {
    if (this.problem !== null) return;
    const whole = this.#partsBytes === 0 ? last : this.#parts.join("") + last;
    const reply = this.#isDropped ? TOO_LONG : whole;
    this.#isDropped = false;
    if (this.#partsBytes > 0) {
      this.#parts = [];
      this.#partsBytes = 0;
    }
    this.#take(reply, this.#isPush);
  }

  #keep(seen: ByteString, rest: ByteString): void {
    this.#rest = rest;
    if (seen !== "" && !this.#isDropped) {
      this.#parts.push(seen);
      this.#partsBytes += seen.length;
    }
    if (this.heldBytes + (this.#isDropped ? 0 : this.#skip) > this.#maxBytes) this.#tooLong();
  }

  /** The commands of others wait behind it; but a line without an end is no reply, and of a push nothing may be lost. */
  #tooLong(): void {
    if (this.#isPush || this.#rest.length > this.#maxBytes || !this.#hasBegun) {
      this.problem ??= "too-long";
      return;
    }
    this.#isDropped = true;
    this.#parts = [];
    this.#partsBytes = 0;
  }
}
