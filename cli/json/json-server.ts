/**
 * A server of JSON documents, asked by its own protocol: a dbsyncd with --json, or the original. A line is a request, and
 * an answer ends with LF CR. Source: docs/json-documents.md "Lines".
 */
import type { Socket } from "node:net";
import type { ServerAddress } from "../../client/shared/server-url.js";
import { isTlsAlert } from "../../client/shared/tls.js";
import { readServerUrl } from "../shared/server-url.js";
import { connected } from "../shared/text-socket.js";

const SCHEME = "json";
const DEFAULT_PORT = 8888;
const ANSWER_END = "\n\r";

const TLS_ONLY = "it takes TLS only: write jsons:// instead of json://";

export const JSON_URL_HELP =
  "json://[user:password@]host[:port], a dbsyncd with --json or the original; with TLS jsons://…, " +
  "behind it #sha256:… if the server's key is to be pinned";

/** `json://[user:password@]host[:port]`, `jsons://…#sha256:…`. @throws InvalidArgumentError */
export function readJsonUrl(text: string): ServerAddress {
  return readServerUrl(text, { scheme: SCHEME, port: DEFAULT_PORT });
}

export class JsonServer implements Disposable {
  readonly #socket: Socket;
  /** One for all answers: each would listen to the socket, and never leave it. */
  readonly #received: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#received = socket[Symbol.asyncIterator]();
  }

  /**
   * Connects, and logs in.
   * @param silenceMs  a server that says nothing for so long is given up
   * @throws Error  nobody listens, or the login is refused
   */
  static async open(address: ServerAddress, silenceMs: number): Promise<JsonServer> {
    const { host, port, login } = address;
    const socket = await connected(address, silenceMs, `${SCHEME}://`);
    socket.setTimeout(silenceMs, () =>
      socket.destroy(new Error(`the server said nothing for ${silenceMs} ms`)),
    );
    // Told by whoever reads next.
    socket.on("error", () => {});
    const server = new JsonServer(socket);
    if (login !== null) {
      const { status, message } = await server.ask({ action: "auth", ...login });
      if (status !== "success") {
        socket.destroy();
        throw new Error(`${host}:${port} does not let ${login.user} in: ${String(message)}`);
      }
    }
    return server;
  }

  /** One request, and its whole answer. @throws Error  the connection, or an answer that is no JSON object */
  async ask(request: object): Promise<Record<string, unknown>> {
    let text = "";
    for await (const piece of this.pieces(request)) text += piece;
    const answer: unknown = parsed(text);
    if (typeof answer === "object" && answer !== null) return answer as Record<string, unknown>;
    throw new Error(`an answer is no JSON object: ${text.slice(0, 100)}`);
  }

  /** One request, and its answer piece by piece, without its end. @throws Error  the connection */
  async *pieces(request: object): AsyncGenerator<string, void, undefined> {
    this.#socket.write(`${JSON.stringify(request)}\n`);
    let held = "";
    for (;;) {
      const { done, value: piece } = await this.#received.next();
      if (done) throw new Error("the server closed the connection");
      if (isTlsAlert(Buffer.from(piece.slice(0, 2)))) throw new Error(TLS_ONLY);
      const text = held + piece;
      if (text.endsWith(ANSWER_END)) {
        yield text.slice(0, -ANSWER_END.length);
        return;
      }
      // The end may come in two pieces.
      held = text.endsWith("\n") ? "\n" : "";
      yield text.slice(0, text.length - held.length);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
