/**
 * A server of JSON documents, asked by its own protocol: a dbsyncd with --json, or the original. A line is a request, and
 * an answer ends with LF CR. Source: docs/json-documents.md "Lines".
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { InvalidArgumentError } from "commander";

const DEFAULT_PORT = 8888;
const ANSWER_END = "\n\r";

export const JSON_URL_HELP = "json://[user:password@]host[:port], a dbsyncd with --json or the original";

export interface JsonServerAddress {
  readonly host: string;
  readonly port: number;
  /** null: nobody logs in. */
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** `json://[user:password@]host[:port]`. @throws InvalidArgumentError */
export function readJsonUrl(text: string): JsonServerAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "json:" || url.hostname === "" || !["", "/"].includes(url.pathname)) {
    throw new InvalidArgumentError(
      "It is json://host or json://host:port (8888 unless said otherwise), with user:password@ before the host if need be.",
    );
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    login: loginOf(url),
  };
}

/** A password alone is the user default's, as with auth. @throws InvalidArgumentError */
function loginOf({ username, password }: URL): JsonServerAddress["login"] {
  if (username === "" && password === "") return null;
  try {
    return { user: decodeURIComponent(username) || "default", password: decodeURIComponent(password) };
  } catch {
    throw new InvalidArgumentError("In user and password a % is written as %25.");
  }
}

export class JsonServer implements Disposable {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Connects, and logs in.
   * @param silenceMs  a server that says nothing for so long is given up
   * @throws Error  nobody listens, or the login is refused
   */
  static async open({ host, port, login }: JsonServerAddress, silenceMs: number): Promise<JsonServer> {
    const socket = await connected(host, port, silenceMs);
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
    const socket = this.#socket;
    socket.write(`${JSON.stringify(request)}\n`);
    let held = "";
    for await (const piece of socket.iterator({ destroyOnReturn: false })) {
      const text = held + piece;
      if (text.endsWith(ANSWER_END)) {
        yield text.slice(0, -ANSWER_END.length);
        return;
      }
      // The end may come in two pieces.
      held = text.endsWith("\n") ? "\n" : "";
      yield text.slice(0, text.length - held.length);
    }
    throw new Error("the server closed the connection");
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** @throws Error  as the system says it, with its number: `Connection refused (111)` */
export async function connected(host: string, port: number, ms: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true }).setEncoding("utf8");
  const timer = setTimeout(() => socket.destroy(new Error(systemMessage("ETIMEDOUT"))), ms);
  try {
    await once(socket, "connect");
    return socket;
  } catch (problem) {
    const { code = "", message } = problem as NodeJS.ErrnoException;
    throw new Error(code === "" ? message : systemMessage(code));
  } finally {
    clearTimeout(timer);
  }
}

/** As C programs print it. */
function systemMessage(code: string): string {
  if (code === "ENOTFOUND") return "the host name was not resolved (ENOTFOUND)";
  const number = (constants.errno as Readonly<Record<string, number | undefined>>)[code] ?? 0;
  const text = getSystemErrorMap().get(-number)?.[1];
  return text === undefined ? code : `${text[0]!.toUpperCase()}${text.slice(1)} (${number})`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
