/**
 * Writes and reads frames and RESP2 values. The code was written from docs/protocol-v2.md alone ("Frame" and
 * "Messages"), and validates nothing in either direction.
 */

/** A value to write: text as UTF-8, numbers as decimals, lists as arrays, or a value that is encoded already. */
export type Item = Buffer | string | number | { readonly encoded: Buffer } | readonly Item[];

/** A simple string, for example OK. */
export interface Status {
  readonly status: string;
}

/** An error reply. */
export interface Failure {
  readonly failure: string;
}

/** A value that was read: a bulk string, an integer, nil, a simple string, an error or an array. */
export type Value = Buffer | number | null | Status | Failure | readonly Value[];

/** A message: its name, followed by its elements. */
export type Message = readonly Value[];

const LINE_END = Buffer.from("\r\n");

/** Encodes a RESP2 value: nested arrays of bulk strings. */
export function resp(item: Item): Buffer {
  if (typeof item === "number" || typeof item === "string") return resp(Buffer.from(String(item)));
  if (Buffer.isBuffer(item)) return Buffer.concat([Buffer.from(`$${item.length}\r\n`), item, LINE_END]);
  if ("encoded" in item) return item.encoded;
  const items = item as readonly Item[];
  return Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items.map(resp)]);
}

/** Returns `ds2:<length>:<payload>` for any payload. */
export function frame(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`ds2:${payload.length}:`), payload]);
}

/** The parser of the messages of a daemon from chunks of any length. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Message[] {
    return this.split(chunk).map(({ message }) => message);
  }

  /** Returns messages with their frames. */
  split(chunk: Buffer): { readonly message: Message; readonly bytes: Buffer }[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const messages: { message: Message; bytes: Buffer }[] = [];
    for (;;) {
      const head = /^ds2:(\d+):/.exec(this.#pending.subarray(0, 32).toString("latin1"));
      if (head === null) return messages;
      const start = head[0].length;
      const end = start + Number(head[1]);
      if (this.#pending.length < end) return messages;
      const message = valueIn(this.#pending.subarray(start, end)) as Message;
      messages.push({ message, bytes: this.#pending.subarray(0, end) });
      this.#pending = this.#pending.subarray(end);
    }
  }
}

function valueIn(payload: Buffer): Value {
  let offset = 0;
  const line = (): string => {
    const end = payload.indexOf(LINE_END, offset);
    const text = payload.toString("utf8", offset, end);
    offset = end + LINE_END.length;
    return text;
  };
  const value = (): Value => {
    const head = line();
    const rest = head.slice(1);
    if (head[0] === "+") return { status: rest };
    if (head[0] === "-") return { failure: rest };
    if (head[0] === ":") return Number(rest);
    if (rest === "-1") return null;
    if (head[0] === "*") return Array.from({ length: Number(rest) }, value);
    const bytes = payload.subarray(offset, offset + Number(rest));
    offset += Number(rest) + LINE_END.length;
    return bytes;
  };
  return value();
}

/** Returns the text of a bulk string or simple string, or the JSON of any other value. */
export function textOf(value: Value | undefined): string {
  if (Buffer.isBuffer(value)) return value.toString();
  if (value !== null && typeof value === "object" && "status" in value) return value.status;
  if (value !== null && typeof value === "object" && "failure" in value) return value.failure;
  return value === undefined ? "" : JSON.stringify(value);
}
