/** A connection to the Redis that is read: commands are sent as they come, and replies are matched to them in order. */
import type { Socket } from "node:net";
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import type { PlainReply } from "../../protocol/reply.js";
import { RequestClient } from "../../protocol/request-client.js";
import { RespReplyStream } from "../../protocol/resp/reply-stream.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { connected, setTimer } from "../shared/text-socket.js";
import type { RedisAddress } from "./redis-url.js";

/** Redis's own limit for a string. */
const REPLY_MOST_BYTES = 600 * 1024 * 1024;

/** Thrown if the server answers a command with an error. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

export class RedisSource implements Disposable {
  readonly #client: RequestClient<PlainReply>;
  /** The server's address for messages: never the password. */
  readonly #where: string;

  private constructor(
    socket: Socket,
    where: string,
    silenceMs: number,
    heard: ((key: ByteString) => void) | null,
  ) {
    this.#where = where;
    this.#client = new RequestClient({
      socket,
      reader: new RespReplyStream(REPLY_MOST_BYTES),
      setTimer,
      answerMs: silenceMs,
      isSilence: true,
      hasMessages: heard !== null,
      takesAside(reply) {
        const [kind, , , message] = heard === null ? [] : bulksOf(reply);
        if (kind !== "pmessage") return false;
        heard?.(message ?? "");
        return true;
      },
    });
  }

  /**
   * Connects, logs in and chooses the database.
   * @param silenceMs  milliseconds of silence after which a pending request fails
   * @param heard  receives each message, once the connection has subscribed
   * @throws Error  there is no server, or it refuses the login or the database
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
      // A Redis before 6 has no users.
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

  /** @throws RedisError  the reply is an error @throws Error  the connection failed */
  async ask(argv: readonly ByteString[]): Promise<PlainReply> {
    const reply = await this.#client.ask(writeCommand(argv)).catch(({ message }: Error) => {
      throw new Error(`${this.#where}: ${message}`);
    });
    if (reply.kind === "error") throw new RedisError(textOfBytes(reply.text));
    return reply;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Returns the strings of an array; of anything else none. */
export function bulksOf(reply: PlainReply | undefined): ByteString[] {
  if (reply?.kind !== "array") return [];
  return reply.items.map(bytesIn);
}

/** Returns the bytes of a string or a number; "" for anything else. */
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
