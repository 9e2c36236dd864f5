/** A connection to a Redis that is read from: commands go out as they come, and replies are matched to them in order. */
import type { Socket } from "node:net";
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import type { PlainReply } from "../../protocol/reply.js";
import { RespReplyCutter } from "../../protocol/resp/reply-cutter.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { connected } from "../shared/text-socket.js";
import type { RedisAddress } from "./redis-url.js";

/** Redis's own bound of a string. */
const REPLY_MOST_BYTES = 600 * 1024 * 1024;

interface Waiter {
  readonly resolve: (reply: PlainReply) => void;
  readonly reject: (problem: Error) => void;
}

/** The server answered a command with an error. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

export class RedisSource implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: Waiter[] = [];
  readonly #cutter = new RespReplyCutter(REPLY_MOST_BYTES, (reply) => this.#take(reply));
  /** Where it is, for messages: never the password. */
  readonly #where: string;
  /** Told of keys that are written, once it is subscribed to that; null: replies alone come. */
  readonly #heard: ((key: ByteString) => void) | null;
  #failure: Error | null = null;

  private constructor(
    socket: Socket,
    where: string,
    silenceMs: number,
    heard: ((key: ByteString) => void) | null,
  ) {
    this.#socket = socket;
    this.#where = where;
    this.#heard = heard;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.#received(chunk));
    socket.on("error", (problem: Error) => this.#fail(problem.message));
    socket.on("close", () => this.#fail("it closed the connection"));
    socket.setTimeout(silenceMs, () => {
      if (this.#waiting.length > 0) this.#fail(`it said nothing for ${silenceMs / 1000} s`);
    });
  }

  /**
   * Connects, logs in and chooses the database.
   * @param silenceMs  a server that owes an answer, and says nothing for so long, is given up
   * @param heard  told of each message, once it is subscribed to some; then replies are its and the messages'
   * @throws Error  nobody listens, or the login or the database is refused
   */
  static async open(
    { server, db }: RedisAddress,
    silenceMs: number,
    heard: ((key: ByteString) => void) | null = null,
  ): Promise<RedisSource> {
    const where = `${server.host}:${server.port}`;
    const socket = await connected(server, silenceMs, "redis://").catch((problem: Error) => {
      throw new Error(`${where}: ${problem.message}`);
    });
    const source = new RedisSource(socket, where, silenceMs, heard);
    try {
      const { login } = server;
      // A Redis before 6 knows no users.
      const user = login === null || login.user === "default" ? [] : [bytesOfText(login.user)];
      if (login !== null) await source.ask(["AUTH", ...user, bytesOfText(login.password)]);
      await source.ask(["SELECT", String(db)]);
      return source;
    } catch (problem) {
      source[Symbol.dispose]();
      if (problem instanceof RedisError && /^(NOAUTH|WRONGPASS|NOPERM|ERR.*AUTH)/.test(problem.message))
        throw new Error(
          `${where} lets no client in like that: ${problem.message}; write redis://user:password@${where}`,
        );
      throw problem instanceof RedisError ? new Error(`${where}: ${problem.message}`) : problem;
    }
  }

  /** @throws RedisError  it is answered so. @throws Error  the connection */
  async ask(argv: readonly ByteString[]): Promise<PlainReply> {
    const reply = await new Promise<PlainReply>((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#socket.write(writeCommand(argv), "latin1");
    });
    if (reply.kind === "error") throw new RedisError(textOfBytes(reply.text));
    return reply;
  }

  [Symbol.dispose](): void {
    this.#failure ??= new Error("the connection was let go");
    this.#socket.destroy();
  }

  #received(chunk: string): void {
    this.#cutter.push(chunk);
    if (this.#cutter.problem !== null)
      this.#fail("what it says is no answer of a Redis; with TLS write rediss://");
  }

  #take(reply: ByteString): void {
    let waiter: Waiter | undefined;
    try {
      const read = new RespReader(Buffer.from(reply, "latin1")).readReply();
      const [kind, , , message] = this.#heard === null ? [] : bulksOf(read);
      if (kind === "pmessage") {
        this.#heard?.(message ?? "");
        return;
      }
      waiter = this.#waiting.shift();
      waiter?.resolve(read);
    } catch {
      waiter ??= this.#waiting.shift();
      waiter?.reject(new Error(`${this.#where}: what it says is no answer of a Redis`));
    }
  }

  #fail(reason: string): void {
    this.#failure ??= new Error(`${this.#where}: ${reason}`);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    this.#socket.destroy();
  }
}

/** The strings of an array; of anything else none. */
export function bulksOf(reply: PlainReply | undefined): ByteString[] {
  if (reply?.kind !== "array") return [];
  return reply.items.map(bytesIn);
}

/** A string or a number, as its bytes; "" for anything else. */
export function bytesIn(reply: PlainReply): ByteString {
  switch (reply.kind) {
    case "bulk":
      return reply.bytes;
    case "status":
      return reply.text;
    case "integer":
      return String(reply.value);
    default:
      return "";
  }
}
