/**
 * A connection to the Redis from which an import reads, its address, and the parser of its replies. Commands are
 * pipelined; replies arrive in the same order.
 */
import type { Socket } from "node:net";
import { InvalidArgumentError } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { type ByteString, bytesOf, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import type { PlainReply } from "../../../protocol/reply.js";
import { RequestClient } from "../../../protocol/request-client.js";
import { RespReader } from "../../../protocol/resp/resp-reader.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { openSocket, setTimer } from "../shared/open-socket.js";
import { readServerUrl } from "../shared/server-url-argument.js";

/** Maximum length of a reply in bytes, somewhat more than Redis's limit for a string. */
const REPLY_BYTES_MAX = 600 * 1024 * 1024;

/** Thrown if the server answers a command with an error. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

export class RedisSource implements Disposable {
  readonly #client: RequestClient<PlainReply>;
  /** The server's address for messages, without the password. */
  readonly #name: string;

  private constructor(
    socket: Socket,
    name: string,
    silenceMs: number,
    onMessage: ((key: ByteString) => void) | null,
  ) {
    this.#name = name;
    this.#client = new RequestClient({
      socket,
      reader: new RespReplyStream(REPLY_BYTES_MAX),
      setTimer,
      answerMs: silenceMs,
      isSilence: true,
      hasMessages: onMessage !== null,
      handlesMessage(reply) {
        const [kind, , , message] = onMessage === null ? [] : bulksOf(reply);
        if (kind !== "pmessage") return false;
        onMessage?.(message ?? "");
        return true;
      },
    });
  }

  /**
   * Connects, logs in and selects the database.
   * @param silenceMs  milliseconds of silence after which a pending request fails
   * @param onMessage  receives each message after the connection has subscribed, or null for a connection without
   *   subscriptions
   * @throws Error  there is no server, or it rejects the login or the database
   */
  static async open(
    { server, db }: RedisAddress,
    silenceMs: number,
    onMessage: ((key: ByteString) => void) | null = null,
  ): Promise<RedisSource> {
    const name = `${server.host}:${server.port}`;
    const socket = await openSocket(server, silenceMs, "redis://").catch((problem: Error) => {
      throw new Error(`${name}: ${problem.message}`);
    });

    const source = new RedisSource(socket, name, silenceMs, onMessage);
    try {
      const { login } = server;
      // Redis before version 6 has no users.
      const user = login === null || login.user === "default" ? [] : [bytesOfText(login.user)];
      if (login !== null) await source.query(["AUTH", ...user, bytesOfText(login.password)]);
      await source.query(["SELECT", String(db)]);
      return source;
    } catch (problem) {
      source[Symbol.dispose]();
      if (problem instanceof RedisError && /^(NOAUTH|WRONGPASS|NOPERM|ERR.*AUTH)/.test(problem.message))
        throw new Error(`${name} rejects the login: ${problem.message}; write redis://user:password@${name}`);
      throw problem instanceof RedisError ? new Error(`${name}: ${problem.message}`) : problem;
    }
  }

  /**
   * Sends a command and returns its reply.
   * @throws RedisError  the reply is an error
   * @throws Error  the connection failed
   */
  async query(argv: readonly ByteString[]): Promise<PlainReply> {
    const reply = await this.#client.request(writeCommand(argv)).catch(({ message }: Error) => {
      throw new Error(`${this.#name}: ${message}`);
    });
    if (reply.kind === "error") throw new RedisError(textOfBytes(reply.text));
    return reply;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Returns the strings of an array; for other replies an empty array. */
export function bulksOf(reply: PlainReply | undefined): ByteString[] {
  if (reply?.kind !== "array") return [];
  return reply.items.map(bytesIn);
}

/** Returns the bytes of a string or a number; for other replies "". */
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

const SCHEME = "redis";
const DEFAULT_PORT = 6379;
const DATABASE = /^(redis(?:s)?:\/\/[^/?#]*)\/(\d{1,5})(?=$|[?#])/;

/** The addresses of a Redis that are accepted. `resps://` means the same as `rediss://`. */
export const REDIS_URL_HELP =
  "redis://[user:password@]host[:port][/db] for a Redis or a dbsyncd with --resp (with TLS rediss://…, " +
  "followed by #sha256:… to pin the server's key; resp:// means the same as redis://)";

export interface RedisAddress {
  readonly server: ServerAddress;
  readonly db: number;
}

export const isRedisUrl = (text: string): boolean => /^(redis|resp)s?:\/\//.test(text);

/** @throws InvalidArgumentError */
export function readRedisUrl(url: string): RedisAddress {
  const text = url.replace(/^resp/, SCHEME);
  const [, , db = "0"] = DATABASE.exec(text) ?? [];
  try {
    const server = readServerUrl(text.replace(DATABASE, "$1"), { scheme: SCHEME, port: DEFAULT_PORT });
    return { server, db: Number(db) };
  } catch (problem) {
    if (!(problem instanceof InvalidArgumentError) || !problem.message.startsWith("The form is"))
      throw problem;
    throw new InvalidArgumentError(`Expected ${REDIS_URL_HELP}.`);
  }
}

const END = "\r\n";
const DOLLAR = 0x24;
const STAR = 0x2a;
/** The types of one-line replies: a status, an error, an integer. */
const LINES: ReadonlySet<number> = new Set([0x2b, 0x2d, 0x3a]);
/** The maximum nesting. No server sends deeper replies. */
const NESTING_MAX = 32;
const LENGTH = /^(?:-1|0|[1-9]\d{0,9})$/;
const MALFORMED = "its answer is not a Redis reply";

/**
 * The parser of RESP2 replies from a stream of bytes. Until a reply is complete, each byte is checked only once, and
 * long strings are skipped.
 */
export class RespReplyStream {
  /** The reason why the stream can no longer be parsed, or null if it can. */
  problem: string | null = null;
  readonly #input = new ReceiveBuffer();
  readonly #maxBytes: number;
  /** The offset in the reply at which the next line begins. It may be beyond the bytes that have arrived. */
  #scanned = 0;
  /** Whether an element ends at this offset. */
  #hasElement = false;
  /** For each array that has begun, the number of elements that are missing; the outermost array is first. */
  readonly #missing: number[] = [];

  /** Creates a parser. @param maxBytes  the maximum length of a reply */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isMidAnswer(): boolean {
    return this.#input.length > 0;
  }

  /** Adds a chunk, which must not be changed afterwards. */
  push(chunk: Buffer): void {
    this.#input.push(chunk, this.#hasElement ? this.#scanned : undefined);
  }

  /** Returns the next complete reply; null if it has not arrived or the stream cannot be parsed. */
  next(): PlainReply | null {
    while (this.problem === null) {
      if (!this.#hasElement && !this.#readLine()) break;
      if (!this.#hasElement) continue;
      if (this.#scanned > this.#input.length) break;
      this.#hasElement = false;
      if (this.#endsReply()) return this.#read();
    }
    if (Math.max(this.#scanned, this.#input.length) > this.#maxBytes)
      this.problem ??= `a reply is longer than ${this.#maxBytes} bytes`;
    return null;
  }

  /** Reads the line that begins an element. Returns false if it has not arrived. */
  #readLine(): boolean {
    const { bytes, at, end } = this.#input;
    const start = at + this.#scanned;
    const cr = start < end ? bytes.subarray(start, end).indexOf(END) : -1;
    if (cr < 0) return false;

    this.#scanned += cr + END.length;
    this.#hasElement = true;
    const type = bytes[start] as number;
    if (type === DOLLAR || type === STAR) {
      const digits = bytesOf(bytes, start + 1, start + cr);
      if (!LENGTH.test(digits)) this.problem = MALFORMED;
      else if (type === DOLLAR) this.#scanned += digits === "-1" ? 0 : Number(digits) + END.length;
      else if (Number(digits) > 0) this.#begin(Number(digits));
    } else if (!LINES.has(type)) this.problem = MALFORMED;
    return true;
  }

  #begin(elements: number): void {
    this.#hasElement = false;
    if (this.#missing.length >= NESTING_MAX) this.problem = MALFORMED;
    this.#missing.push(elements);
  }

  /** Ends an element. Returns whether the reply ends with it. */
  #endsReply(): boolean {
    const missing = this.#missing;
    for (let last = missing.length - 1; last >= 0; last--) {
      const remaining = (missing[last] as number) - 1;
      missing[last] = remaining;
      if (remaining > 0) return false;
      missing.pop();
    }
    return true;
  }

  #read(): PlainReply | null {
    const { bytes, at } = this.#input;
    try {
      return new RespReader(bytes.subarray(at, at + this.#scanned)).readReply();
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem;
      this.problem = MALFORMED;
      return null;
    } finally {
      this.#input.skip(this.#scanned);
      this.#scanned = 0;
    }
  }
}
