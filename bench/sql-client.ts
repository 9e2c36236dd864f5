/** A client of the SQL line protocol that sends several statements together and counts the answers. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const END = "\nEND\n";

export async function makeDatabase(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.end("create database d;");
  await once(socket.resume(), "close");
}

export class SqlClient implements Disposable {
  readonly #socket: Socket;
  #left = 0;
  #tail = "";
  #settle: (() => void) | null = null;
  #error = "";

  private constructor(port: number) {
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.setEncoding("latin1").on("data", (chunk: string) => this.#receive(chunk));
  }

  static async open(port: number): Promise<SqlClient> {
    const client = new SqlClient(port);
    await once(client.#socket, "connect");
    await client.execute(["use d"]);
    return client;
  }

  /** Sends all statements together and waits for the last answer. @throws Error if an answer is an error */
  async execute(statements: readonly string[]): Promise<void> {
    this.#left = statements.length;
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      this.#socket.write(statements.map((statement) => `${statement};`).join(""));
    });
    if (this.#error !== "") throw new Error(this.#error);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(chunk: string): void {
    const text = this.#tail + chunk;
    if (text.includes("Hadisoana : ") && !text.includes("efa misy")) this.#error = text.slice(0, 300);
    let from = 0;
    for (let at = text.indexOf(END); at >= 0; at = text.indexOf(END, from)) {
      from = at + END.length;
      this.#left--;
    }
    this.#tail = text.slice(Math.max(from, text.length - END.length));
    if (this.#left === 0) this.#settle?.();
  }
}
