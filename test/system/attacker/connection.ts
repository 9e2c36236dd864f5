/** An attacker's connection. It can send any bytes, and stores all messages that it receives. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { inTime } from "../../support/until.js";
import { frame, type Item, type Message, MessageReader, resp, textOf } from "./wire.js";

export class Connection implements Disposable {
  readonly socket: Socket;
  /** The received messages, oldest first. */
  readonly messages: Message[] = [];
  closed = false;
  /** Resolves when the daemon has closed the connection. */
  readonly end: Promise<void>;
  readonly #reader = new MessageReader();
  readonly #watchers = new Set<() => void>();
  readonly #consumed = new Map<string, number>();
  readonly #listeners: ((message: Message) => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      for (const message of this.#reader.push(chunk)) {
        this.messages.push(message);
        for (const listen of this.#listeners) listen(message);
      }
      this.#wakeWatchers();
    });
    this.end = new Promise((resolve) => {
      const end = () => {
        this.closed = true;
        this.#wakeWatchers();
        resolve();
      };
      socket.on("end", end).on("close", end).on("error", end);
    });
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Connection(socket);
  }

  /** Sends one message. @param items  its name and its elements */
  send(...items: readonly Item[]): void {
    this.write(frame(resp(items)));
  }

  /** Writes bytes unchanged. */
  write(bytes: Buffer | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  onMessage(listen: (message: Message) => void): void {
    this.#listeners.push(listen);
  }

  /**
   * Waits for the next message with the given name. Each message is returned only once.
   * @throws Error  if the daemon closes the connection first; the error contains its last message
   */
  async next(name: string): Promise<Message> {
    const consumed = this.#consumed.get(name) ?? 0;
    const found = await this.until(() => this.named(name)[consumed]);
    if (found === undefined)
      throw new Error(`the daemon closed the connection before ${name}: ${this.lastMessage}`);
    this.#consumed.set(name, consumed + 1);
    return found;
  }

  /**
   * Waits until `check` returns a value other than undefined and false.
   * @returns the value, or undefined if the daemon closes the connection first
   */
  async until<T>(check: () => T | undefined | false): Promise<T | undefined> {
    for (;;) {
      const found = check();
      if (found !== undefined && found !== false) return found;
      if (this.closed) return undefined;
      await inTime(
        () => `the awaited message does not arrive; the last one is ${this.lastMessage}`,
        new Promise<void>((resolve) => this.#watchers.add(resolve)),
      );
    }
  }

  named(name: string): Message[] {
    return this.messages.filter(([head]) => textOf(head) === name);
  }

  /** The beginning of the last received message, for error messages. */
  get lastMessage(): string {
    return (this.messages.at(-1) ?? []).slice(0, 3).map(textOf).join(" ");
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #wakeWatchers(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watch of watchers) watch();
  }
}
