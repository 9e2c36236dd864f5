/**
 * The baseline cost of a Redis server in Node: a complete request parser, a Map and one write per read. It has no
 * expiry, users, types or statistics. resp.ts runs this program, and compares its CPU time per command with that of a
 * daemon.
 */
import { createServer, type Socket } from "node:net";
import { bytesOf } from "../protocol/byte-string.js";

const CR = 0x0d;
const DIGIT_0 = 0x30;
const NOTHING = Buffer.alloc(0);

type Handler = (argv: readonly string[]) => string;

let keys = new Map<string, unknown>();

function getOrCreate<T>(key: string, make: () => T): T {
  let value = keys.get(key) as T | undefined;
  if (value === undefined) keys.set(key, (value = make()));
  return value;
}

const bulk = (value: string | undefined): string =>
  value === undefined ? "$-1\r\n" : `$${value.length}\r\n${value}\r\n`;

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>(
  Object.entries({
    SET: (argv) => {
      keys.set(argv[1] as string, argv[2]);
      return "+OK\r\n";
    },
    GET: (argv) => bulk(keys.get(argv[1] as string) as string | undefined),
    INCR: (argv) => {
      const sum = Number(keys.get(argv[1] as string) ?? 0) + 1;
      keys.set(argv[1] as string, String(sum));
      return `:${sum}\r\n`;
    },
    LPUSH: (argv) => {
      const list = getOrCreate<string[]>(argv[1] as string, () => []);
      for (let i = 2; i < argv.length; i++) list.push(argv[i] as string);
      return `:${list.length}\r\n`;
    },
    HSET: (argv) => {
      const hash = getOrCreate(argv[1] as string, () => new Map<string, string>());
      const { size } = hash;
      for (let i = 2; i < argv.length; i += 2) hash.set(argv[i] as string, argv[i + 1] as string);
      return `:${hash.size - size}\r\n`;
    },
    SADD: (argv) => {
      const set = getOrCreate(argv[1] as string, () => new Set<string>());
      const { size } = set;
      for (let i = 2; i < argv.length; i++) set.add(argv[i] as string);
      return `:${set.size - size}\r\n`;
    },
    FLUSHALL: () => {
      keys = new Map();
      return "+OK\r\n";
    },
  } satisfies Record<string, Handler>),
);

class Connection {
  readonly #socket: Socket;
  #pending: Buffer = NOTHING;
  #offset = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => socket.destroy());
  }

  #receive(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#offset = 0;
    let answers = "";
    for (;;) {
      const begin = this.#offset;
      const argv = this.#next();
      if (argv === null) {
        this.#pending = this.#pending.subarray(begin);
        break;
      }
      const name = argv[0] as string;
      const run = HANDLERS.get(name) ?? HANDLERS.get(name.toUpperCase());
      answers += run === undefined ? "-ERR unknown command\r\n" : run(argv);
    }
    if (answers !== "") this.#socket.write(answers, "latin1");
  }

  /** Returns the next request, or null if it is incomplete. */
  #next(): string[] | null {
    const count = this.#number();
    if (count < 0) return null;
    const argv: string[] = [];
    for (let i = 0; i < count; i++) {
      const length = this.#number();
      const end = this.#offset + length;
      if (length < 0 || end + 2 > this.#pending.length) return null;
      argv.push(bytesOf(this.#pending, this.#offset, end));
      this.#offset = end + 2;
    }
    return argv;
  }

  /** Returns the number in a header, after its type byte, or -1 if the header is incomplete. */
  #number(): number {
    const bytes = this.#pending;
    let value = 0;
    let at = this.#offset + 1;
    while (at < bytes.length && bytes[at] !== CR) value = value * 10 + (bytes[at++] as number) - DIGIT_0;
    if (at + 2 > bytes.length) return -1;
    this.#offset = at + 2;
    return value;
  }
}

const server = createServer((socket) => new Connection(socket));
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  console.log(JSON.stringify({ msg: "listening", port }));
});
