/**
 * Parses RESP2 and RESP3 replies from chunks of any length. It does not check the input, so it is for tests with
 * redis-server only.
 */
import { bulk, double, error, NIL, NIL_ARRAY, type Reply, status } from "../../protocol/reply.js";

const LINE_END = "\r\n";

export class ReplyReader {
  #pending = "";
  #offset = 0;

  /** Returns the replies that a chunk completes, and keeps the remaining bytes for the next call. */
  push(chunk: Buffer): Reply[] {
    this.#pending = this.#pending.slice(this.#offset) + chunk.toString("latin1");
    this.#offset = 0;
    const replies: Reply[] = [];
    for (;;) {
      const start = this.#offset;
      const reply = this.#reply();
      if (reply === undefined) {
        this.#offset = start;
        return replies;
      }
      replies.push(reply);
    }
  }

  /** Returns the next reply, or undefined if it is incomplete. */
  #reply(): Reply | undefined {
    const end = this.#pending.indexOf(LINE_END, this.#offset);
    if (end < 0) return undefined;

    const type = this.#pending[this.#offset];
    const line = this.#pending.slice(this.#offset + 1, end);
    this.#offset = end + LINE_END.length;
    switch (type) {
      case "+":
        return status(line);
      case "-":
        return error(line);
      case ":":
        return integerOfText(line);
      case "$":
        return line === "-1" ? NIL : this.#bulk(Number(line));
      case "*":
        return line === "-1" ? NIL_ARRAY : this.#items("array", Number(line));
      case "_":
        return NIL;
      case ",":
        return double(numberOfText(line));
      case "~":
        return this.#items("set", Number(line));
      case "%":
        return this.#items("map", 2 * Number(line));
      case "=":
        return this.#verbatim(Number(line));
      default:
        throw new Error(`no reply begins with ${JSON.stringify(type)}`);
    }
  }

  #bulk(length: number): Reply | undefined {
    const bytes = this.#bytes(length);
    return bytes === undefined ? undefined : bulk(bytes);
  }

  #verbatim(length: number): Reply | undefined {
    const bytes = this.#bytes(length);
    if (bytes === undefined) return undefined;
    return { kind: "verbatim", format: bytes.slice(0, 3), bytes: bytes.slice("txt:".length) };
  }

  #bytes(length: number): string | undefined {
    const end = this.#offset + length;
    if (this.#pending.length < end + LINE_END.length) return undefined;
    const bytes = this.#pending.slice(this.#offset, end);
    this.#offset = end + LINE_END.length;
    return bytes;
  }

  #items(kind: "array" | "set" | "map", length: number): Reply | undefined {
    const items: Reply[] = [];
    for (let i = 0; i < length; i++) {
      const item = this.#reply();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return { kind, items };
  }
}

function integerOfText(text: string): Reply {
  const value = Number(text);
  return { kind: "integer", value: Number.isSafeInteger(value) ? value : BigInt(text) };
}

function numberOfText(text: string): number {
  return text.endsWith("inf") ? Number(text.replace("inf", "Infinity")) : Number(text);
}
