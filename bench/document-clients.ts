/**
 * Clients of a JSON listener and of redis-server for bench/documents.ts. Each client waits for the answer before it
 * sends the next request.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { RedisConnection } from "../test/support/redis-connection.js";
import { type Figures, type Load, measureOver } from "./measure.js";

const END = "\n\r";
const CR = 0x0d;
const READ_BYTES = 64 * 1024;

export class JsonClient implements Disposable {
  readonly #socket: Socket;
  #pieces = "";
  #settle: { resolve(answer: string): void; reject(reason: Error): void } | null = null;

  private constructor(port: number) {
    // Reads into one fixed buffer. Otherwise Node would allocate one per read, and the benchmark would measure the
    // client.
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (length: number, chunk: Uint8Array) => {
        this.#receive(chunk as Buffer, length);
        return true;
      },
    };
    const socket = connect({ host: "127.0.0.1", port, noDelay: true, onread });
    this.#socket = socket;
    socket.on("close", () => this.#settle?.reject(new Error("the JSON listener closed the connection")));
    socket.on("error", (reason) => this.#settle?.reject(reason));
  }

  static async open(port: number): Promise<JsonClient> {
    const client = new JsonClient(port);
    await once(client.#socket, "connect");
    return client;
  }

  /** Sends a request. @returns the text of the answer @throws Error if the answer is an error */
  request(request: unknown): Promise<string> {
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

  #receive(chunk: Buffer, length: number): void {
    this.#pieces += chunk.toString("latin1", 0, length);
    // An answer ends with CR, which does not occur anywhere else in it.
    if (chunk[length - 1] !== CR) return;
    const answer = this.#pieces.slice(0, -END.length);
    this.#pieces = "";
    this.#settle?.resolve(answer);
  }
}

/** Measures clients that repeat a call for a number of seconds, each over its own connection. */
async function load<Client extends Disposable>(
  open: () => Promise<Client>,
  { callers, seconds }: Load,
  call: (client: Client, turn: number) => Promise<unknown>,
): Promise<Figures> {
  const clients = await Promise.all(Array.from({ length: callers }, open));
  let turn = 0;
  try {
    return await measureOver(clients, seconds, (client) => call(client, turn++));
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

export const loadJson = (port: number, amount: Load, request: (turn: number) => unknown): Promise<Figures> =>
  load(
    () => JsonClient.open(port),
    amount,
    (client, turn) => client.request(request(turn)),
  );

export const loadRedis = (
  port: number,
  amount: Load,
  command: (turn: number) => readonly string[],
): Promise<Figures> =>
  load(
    () => RedisConnection.open(port),
    amount,
    (client, turn) => client.call(...command(turn)),
  );

export const DOCUMENT = "people";
const GROUP_SIZE = 10;
const BATCH = 1000;

export interface Entry {
  readonly name: string;
  readonly email: string;
  readonly age: number;
  readonly group: number;
}

/** Returns an entry of the document. @param count  the number of all entries, which determines the number of groups */
export function entryOf(index: number, count: number): Entry {
  return {
    name: `Person ${index}`,
    email: `person${index}@example.org`,
    age: index % 90,
    group: index % Math.ceil(count / GROUP_SIZE),
  };
}

/** @param entry  returns the entry with an index, of `count` entries */
export async function fillDocument(
  port: number,
  document: string,
  count: number,
  entry: (index: number, count: number) => unknown = entryOf,
): Promise<void> {
  using client = await JsonClient.open(port);
  await client.request({ action: "create", document });
  for (let from = 0; from < count; from += BATCH) {
    const length = Math.min(BATCH, count - from);
    const data = Array.from({ length }, (_, at) => entry(from + at, count));
    await client.request({ action: "insert", document, data });
  }
}

/** Returns a query for one group, a different group for each `turn`. */
export function queryOf(document: string, turn: number, count: number, member = "query"): unknown {
  const group = (turn * 7919) % Math.ceil(count / GROUP_SIZE);
  return { action: "get", document, [member]: { group } };
}
