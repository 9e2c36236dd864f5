/** A Redis client for RESP2 that uses no code of the product. Commands are answered in order. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export type Answer = string | number | null | Error | readonly Answer[];

export class RedisLine implements Disposable {
  readonly socket: Socket;
  #pending: Buffer = Buffer.alloc(0);
  readonly #waiting: { resolve(answer: Answer): void; reject(reason: Error): void }[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closed = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("the connection was closed"));
    });
  }

  static async open(port: number): Promise<RedisLine> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new RedisLine(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends one command.
   * @returns the answer, which may be an error of the server
   * @throws Error if the connection is closed
   */
  call(...argv: readonly (string | number)[]): Promise<Answer> {
    if (this.#closed) return Promise.reject(new Error("the connection was closed"));
    const items = argv.map((item) => `$${Buffer.byteLength(String(item))}\r\n${item}\r\n`);
    this.socket.write(`*${argv.length}\r\n${items.join("")}`);
    return new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const read = readAnswer(this.#pending, 0);
      if (read === null) return;
      this.#pending = this.#pending.subarray(read.end);
      this.#waiting.shift()?.resolve(read.answer);
    }
  }
}

/** Parses an answer. @returns null if it is incomplete */
function readAnswer(bytes: Buffer, start: number): { answer: Answer; end: number } | null {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd < 0) return null;
  const type = bytes.toString("latin1", start, start + 1);
  const line = bytes.toString("utf8", start + 1, lineEnd);
  const end = lineEnd + 2;
  if (type === "+") return { answer: line, end };
  if (type === "-") return { answer: new Error(line), end };
  if (type === ":") return { answer: Number(line), end };
  const length = Number(line);
  if (length < 0) return { answer: null, end };
  if (type === "$") {
    if (bytes.length < end + length + 2) return null;
    return { answer: bytes.toString("utf8", end, end + length), end: end + length + 2 };
  }
  const answer: Answer[] = [];
  let offset = end;
  for (let i = 0; i < length; i++) {
    const item = readAnswer(bytes, offset);
    if (item === null) return null;
    answer.push(item.answer);
    offset = item.end;
  }
  return { answer, end: offset };
}

/** Returns the text of an answer or an error. */
export function textOf(answer: Answer): string {
  if (answer === null) return "nil";
  return Array.isArray(answer)
    ? answer.map(textOf).join(" ")
    : answer instanceof Error
      ? answer.message
      : String(answer);
}
