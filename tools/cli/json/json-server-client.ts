/**
 * A client of a JSON server: a dbsyncd with --json, or the original JSON server. A request is one line; an answer ends
 * with LF CR. Source: docs/json-documents.md "Lines".
 */
import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { isTlsAlert } from "../../../client/shared/tls-connection.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { type AnswerReader, RequestClient } from "../../../protocol/request-client.js";
import { openSocket, setTimer } from "../shared/open-socket.js";
import { readServerUrl } from "../shared/server-url-argument.js";

const SCHEME = "json";
const DEFAULT_PORT = 8888;
const ANSWER_END = "\n\r";

const TLS_ONLY = "the server accepts only TLS: write jsons:// instead of json://";

export const JSON_URL_HELP =
  "json://[user:password@]host[:port] for a dbsyncd with --json or the original server (with TLS jsons://…, " +
  "followed by #sha256:… to pin the server's key)";

/** Parses `json://[user:password@]host[:port]` or `jsons://…#sha256:…`. @throws InvalidArgumentError */
export function readJsonUrl(text: string): ServerAddress {
  return readServerUrl(text, { scheme: SCHEME, port: DEFAULT_PORT });
}

export class JsonServerClient implements Disposable {
  readonly #client: RequestClient<JsonPart>;
  /** The server's address as `host:port`. */
  readonly #name: string;

  private constructor(socket: Socket, silenceMs: number, name: string) {
    this.#name = name;
    const reader = new JsonPartReader();
    this.#client = new RequestClient({ socket, reader, setTimer, answerMs: silenceMs, isSilence: true });
  }

  /**
   * Connects and logs in.
   * @param silenceMs  milliseconds of silence after which a request fails
   * @throws Error  no server answers at the address, or it rejects the login
   */
  static async open(address: ServerAddress, silenceMs: number): Promise<JsonServerClient> {
    const { host, port, login } = address;
    const socket = await openSocket(address, silenceMs, `${SCHEME}://`);
    const server = new JsonServerClient(socket, silenceMs, `${host}:${port}`);
    if (login !== null) {
      const { status, message } = await server.query({ action: "auth", ...login });
      if (status !== "success") {
        server[Symbol.dispose]();
        throw new Error(`${host}:${port} rejects the login of ${login.user}: ${String(message)}`);
      }
    }
    return server;
  }

  /**
   * Sends a request and returns its complete answer.
   * @throws Error  the connection failed, or the answer is not a JSON object
   */
  async query(request: object): Promise<Record<string, unknown>> {
    let text = "";
    for await (const piece of this.pieces(request)) text += piece;
    const answer: unknown = parsed(text);
    if (typeof answer === "object" && answer !== null) return answer as Record<string, unknown>;
    throw new Error(`an answer is not a JSON object: ${text.slice(0, 100)}`);
  }

  /** Sends a request and yields its answer in pieces, without the end mark. @throws Error  the connection failed */
  async *pieces(request: object): AsyncGenerator<string, void, undefined> {
    const parts = this.#client.requestParts(
      bytesOfText(`${JSON.stringify(request)}\n`),
      ({ isLast }) => isLast,
    );
    try {
      for await (const { text } of parts) yield text;
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message : String(problem);
      throw new Error(`${this.#name}: ${reason}`, { cause: problem });
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** A piece of an answer. */
interface JsonPart {
  readonly text: string;
  readonly isLast: boolean;
}

class JsonPartReader implements AnswerReader<JsonPart> {
  problem: string | null = null;
  isMidAnswer = false;
  readonly #decoder = new StringDecoder("utf8");
  #text = "";

  push(chunk: Buffer): void {
    if (isTlsAlert(chunk)) this.problem = TLS_ONLY;
    else this.#text += this.#decoder.write(chunk);
  }

  next(): JsonPart | null {
    if (this.problem !== null) return null;
    const end = this.#text.indexOf(ANSWER_END);
    // The end mark may arrive in two pieces.
    const length = end >= 0 ? end : this.#text.length - (this.#text.endsWith("\n") ? 1 : 0);
    if (end < 0 && length === 0) return null;
    const text = this.#text.slice(0, length);
    this.#text = this.#text.slice(end >= 0 ? end + ANSWER_END.length : length);
    return { text, isLast: end >= 0 };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
