/** Clients that read no more of an answer than a benchmark needs, so that they measure the server. */
import { connect, type Socket } from "node:net";
import { type AnswerReader, BatchConnection } from "../test/support/batch-connection.js";

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

/** Reads answers that end with a mark. A long answer is joined only when its end has arrived. */
class MarkedReader implements AnswerReader<string> {
  readonly #end: string;
  #beginning = "";
  /** The last characters, in which the end mark may have begun. */
  #tail = "";

  constructor(end: string) {
    this.#end = end;
  }

  push(chunk: Buffer): string[] {
    const answers: string[] = [];
    let rest = this.#tail + chunk.toString("latin1");
    for (let at = rest.indexOf(this.#end); at >= 0; at = rest.indexOf(this.#end)) {
      answers.push(this.#beginning + rest.slice(0, at));
      this.#beginning = "";
      rest = rest.slice(at + this.#end.length);
    }
    const tailAt = Math.max(0, rest.length - this.#end.length + 1);
    this.#beginning += rest.slice(0, tailAt);
    this.#tail = rest.slice(tailAt);
    return answers;
  }
}

/** A client of a protocol with texts. It sends requests together, and waits for the answers. */
export class TextClient implements Disposable {
  readonly #connection: BatchConnection<string>;
  readonly #protocol: TextProtocol;

  private constructor(connection: BatchConnection<string>, protocol: TextProtocol) {
    this.#connection = connection;
    this.#protocol = protocol;
  }

  static async open(port: number, protocol: TextProtocol): Promise<TextClient> {
    return new TextClient(await BatchConnection.open(port, new MarkedReader(protocol.end)), protocol);
  }

  /** Sends requests together. @returns their answers @throws Error if an answer is an error */
  async ask(requests: readonly string[]): Promise<readonly string[]> {
    const answers = await this.#connection.send(requests.join(""), requests.length);
    const error = answers.find((answer) => this.#protocol.isError(answer));
    if (error !== undefined) throw new Error(error.slice(0, 300));
    return answers;
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}
