/** Clients of a JSON listener and of redis-server for bench/documents.ts: each waits for its answer before it asks again. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { RedisConnection } from "../test/support/redis-connection.js";
import { type Figures, measure } from "./measure.js";

const END = Buffer.from("\n\r");

export class JsonClient implements Disposable {
  readonly #socket: Socket;
  #pieces: Buffer[] = [];
  #settle: { resolve(answer: string): void; reject(reason: Error): void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => this.#settle?.reject(new Error("the JSON listener closed the connection")));
    socket.on("error", (reason) => this.#settle?.reject(reason));
  }

  static async open(port: number): Promise<JsonClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new JsonClient(socket);
  }

  /** @returns the answer's text. @throws Error  it tells an error */
  ask(request: unknown): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(`${JSON.stringify(request)}\n`);
    }).then((answer) => {
      if (!answer.startsWith('{"status":"success"')) throw new Error(answer.slice(0, 300));
      return answer;
    });
  }

  [Symbol.dispose](): void {
    this.#settle = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#pieces.push(chunk);
    const last = this.#pieces.length > 1 && chunk.length < END.length ? Buffer.concat(this.#pieces) : chunk;
    if (!last.subarray(-END.length).equals(END)) return;
    const answer = Buffer.concat(this.#pieces).subarray(0, -END.length).toString("latin1");
    this.#pieces = [];
    this.#settle?.resolve(answer);
  }
}

/** Calls from so many connections for some seconds. */
async function load<Client extends Disposable>(
  open: () => Promise<Client>,
  { callers, seconds }: { callers: number; seconds: number },
  call: (client: Client, turn: number) => Promise<unknown>,
): Promise<Figures> {
  const clients: Client[] = [];
  await Promise.all(Array.from({ length: callers }, () => open().then((client) => clients.push(client))));
  const free = [...clients];
  let turn = 0;
  try {
    return await measure({ callers, seconds }, async () => {
      const client = free.pop() as Client;
      await call(client, turn++);
      free.push(client);
    });
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

export interface DocumentLoad {
  readonly callers: number;
  readonly seconds: number;
}

export function loadJson(
  port: number,
  amount: DocumentLoad,
  request: (turn: number) => unknown,
): Promise<Figures> {
  return load(
    () => JsonClient.open(port),
    amount,
    (client, turn) => client.ask(request(turn)),
  );
}

export function loadRedis(
  port: number,
  amount: DocumentLoad,
  command: (turn: number) => readonly string[],
): Promise<Figures> {
  return load(
    () => RedisConnection.open(port),
    amount,
    (client, turn) => client.call(...command(turn)),
  );
}
