/** Clients that read no more of an answer than a benchmark needs, so that they measure the server. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const READ_BYTES = 64 * 1024;

/** A connection that counts the bytes it receives. */
export class ByteCounter implements Disposable {
  readonly socket: Socket;
  bytes = 0;
  #limit = Number.POSITIVE_INFINITY;
  #reached: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", ({ length }: Buffer) => {
      this.bytes += length;
      if (this.bytes >= this.#limit) this.#reached();
    });
  }

  /** Waits until it has received a number of bytes in total. */
  until(bytes: number): Promise<void> {
    if (this.bytes >= bytes) return Promise.resolve();
    this.#limit = bytes;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/**
 * Connects to servers. Each call writes the same bytes to all of them, and waits until one has answered all calls so far.
 * @param request  returns the bytes of the next call
 * @param answerBytes  the length of each answer
 */
export function roundTrip(ports: readonly number[], request: () => Buffer, answerBytes: number) {
  const connections = ports.map((port) => new ByteCounter(port));
  let expected = 0;
  return {
    call: async () => {
      expected += answerBytes;
      const bytes = request();
      for (const { socket } of connections) socket.write(bytes);
      await Promise.race(connections.map((connection) => connection.until(expected)));
    },
    [Symbol.dispose]: () => {
      for (const connection of connections) connection[Symbol.dispose]();
    },
  };
}

/** The protocol of a client: the bytes that end each answer, and whether an answer is an error. */
export interface TextProtocol {
  readonly end: string;
  isError(answer: string): boolean;
}

/** A client of a protocol with texts. It sends requests together, and waits for the answers. */
export class TextClient implements Disposable {
  readonly #socket: Socket;
  readonly #protocol: TextProtocol;
  #answers: string[] = [];
  /** The beginning of the next answer. It is joined only when its end has arrived: answers may be long. */
  #beginning = "";
  /** The last characters, in which the end mark may have begun. */
  #tail = "";
  #expected = 0;
  #settle: { resolve(answers: readonly string[]): void; reject(reason: Error): void } | null = null;

  private constructor(port: number, protocol: TextProtocol) {
    this.#protocol = protocol;
    // Reads into one fixed buffer. Otherwise Node would allocate one per read.
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (length: number, chunk: Uint8Array) => {
        this.#receive((chunk as Buffer).toString("latin1", 0, length));
        return true;
      },
    };
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true, onread });
    this.#socket.on("close", () => this.#settle?.reject(new Error("the server closed the connection")));
    this.#socket.on("error", (reason) => this.#settle?.reject(reason));
  }

  static async open(port: number, protocol: TextProtocol): Promise<TextClient> {
    const client = new TextClient(port, protocol);
    await once(client.#socket, "connect");
    return client;
  }

  /** Sends requests together. @returns their answers @throws Error if an answer is an error */
  async ask(requests: readonly string[]): Promise<readonly string[]> {
    this.#answers = [];
    this.#expected = requests.length;
    const answers = await new Promise<readonly string[]>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(requests.join(""));
    });
    const error = answers.find((answer) => this.#protocol.isError(answer));
    if (error !== undefined) throw new Error(error.slice(0, 300));
    return answers;
  }

  [Symbol.dispose](): void {
    this.#settle = null;
    this.#socket.destroy();
  }

  #receive(chunk: string): void {
    const { end } = this.#protocol;
    let rest = this.#tail + chunk;
    for (let at = rest.indexOf(end); at >= 0; at = rest.indexOf(end)) {
      this.#answers.push(this.#beginning + rest.slice(0, at));
      this.#beginning = "";
      rest = rest.slice(at + end.length);
    }
    const tailAt = Math.max(0, rest.length - end.length + 1);
    this.#beginning += rest.slice(0, tailAt);
    this.#tail = rest.slice(tailAt);
    if (this.#answers.length === this.#expected) this.#settle?.resolve(this.#answers);
  }
}
