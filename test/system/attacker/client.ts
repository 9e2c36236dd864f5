/** A client that sends only what a test passes to it. Source: docs/protocol-v2.md, "hello" and "Messages". */
import { Connection } from "./connection.js";
import { type Command, type Envelope, envelope, type Header } from "./envelope.js";
import type { Key } from "./key.js";
import { type Message, textOf, type Value } from "./wire.js";

export interface Hello {
  readonly versions: string;
  readonly daemon: Buffer;
  readonly cluster: Buffer;
  readonly clock: number;
  /** The state of the daemon: live, catching-up or isolated. */
  readonly state: string;
}

export interface Answer {
  /** The error code, or null if the daemon accepted the envelope. */
  readonly refused: string | null;
  readonly replies: readonly Value[];
  /** The flags of each reply. */
  readonly flags: readonly string[];
}

export class Client implements Disposable {
  readonly connection: Connection;
  cluster: Buffer = Buffer.alloc(0);
  readonly #key: Key;
  /** The answers by the id of their envelope. */
  readonly #answers = new Map<string, Message>();
  readonly #waiting = new Map<string, () => void>();

  private constructor(connection: Connection, key: Key) {
    this.connection = connection;
    this.#key = key;
    connection.onMessage((message) => {
      if (!["result", "refused"].includes(textOf(message[0]))) return;
      const id = (message[1] as Buffer).toString("hex");
      this.#answers.set(id, message);
      this.#waiting.get(id)?.();
    });
  }

  /** Connects, and receives the id of the cluster. */
  static async open(port: number, key: Key): Promise<Client> {
    const client = new Client(await Connection.open(port), key);
    client.cluster = (await client.hello()).cluster;
    return client;
  }

  async hello(): Promise<Hello> {
    this.connection.send("hello", "2", "", "", Date.now(), "", "client", "", "");
    return helloOf(await this.connection.next("hello"));
  }

  sign(commands: readonly Command[], header: Header = {}): Envelope {
    return envelope(this.#key, this.cluster, commands, header);
  }

  /** Sends an envelope and waits for its answer. */
  async send(signed: Envelope): Promise<Answer> {
    this.connection.write(signed.frame);
    const id = signed.id.toString("hex");
    const answered = new Promise<void>((resolve) => this.#waiting.set(id, resolve));
    await Promise.race([answered, this.connection.end]);
    const answer = this.#answers.get(id);
    if (answer === undefined)
      throw new Error(`the daemon closed the connection without an answer: ${this.connection.lastMessage}`);
    return answerOf(answer);
  }

  async ask(commands: readonly Command[], header: Header = {}): Promise<Answer> {
    return await this.send(this.sign(commands, header));
  }

  /** Sends one command, which the daemon must accept. @returns the reply as text */
  async text(...command: Command): Promise<string> {
    const { refused, replies } = await this.ask([command]);
    if (refused !== null) throw new Error(`refused: ${refused}`);
    return textOf(replies[0]);
  }

  [Symbol.dispose](): void {
    this.connection[Symbol.dispose]();
  }
}

export function helloOf(message: Message): Hello {
  const [, versions, daemon, cluster, clock, state] = message;
  return {
    versions: textOf(versions),
    daemon: daemon as Buffer,
    cluster: cluster as Buffer,
    clock: Number(textOf(clock)),
    state: textOf(state),
  };
}

function answerOf(message: Message): Answer {
  if (textOf(message[0]) === "refused") return { refused: textOf(message[2]), replies: [], flags: [] };
  const units = message.slice(5);
  return {
    refused: null,
    replies: units.filter((_, index) => index % 2 === 0),
    flags: units.filter((_, index) => index % 2 === 1).map(textOf),
  };
}
