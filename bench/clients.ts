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
 * Connects to servers. Each call writes the same bytes to all of them, and waits until one has answered all calls so
 * far.
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

/** Reads answers that end with a mark. A long answer is joined only when its end has arrived. */
function markedReader(end: string): AnswerReader<string> {
  let beginning = "";
  /** The last characters, in which the end mark may have begun. */
  let tail = "";
  return {
    push: (chunk) => {
      const answers: string[] = [];
      const text = tail + chunk.toString("latin1");
      let from = 0;
      for (let at = text.indexOf(end); at >= 0; at = text.indexOf(end, from)) {
        answers.push(beginning + text.slice(from, at));
        beginning = "";
        from = at + end.length;
      }
      const tailAt = Math.max(from, text.length - end.length + 1);
      beginning += text.slice(from, tailAt);
      tail = text.slice(tailAt);
      return answers;
    },
  };
}

/** A client of a protocol with texts. */
export interface TextClient extends Disposable {
  /** Sends requests together. @returns their answers @throws Error if an answer is an error */
  ask(requests: readonly string[]): Promise<readonly string[]>;
}

/** Connects a client. @param end  the bytes that end each answer */
export async function openText(
  port: number,
  end: string,
  isError: (answer: string) => boolean,
): Promise<TextClient> {
  const connection = await BatchConnection.open(port, markedReader(end));
  return {
    ask: async (requests) => {
      const answers = await connection.send(requests.join(""), requests.length);
      const error = answers.find(isError);
      if (error !== undefined) throw new Error(error.slice(0, 300));
      return answers;
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
