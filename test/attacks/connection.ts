/** An attacker's connection: it sends anything, and stores all that it receives. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { frame, type Item, type Message, MessageReader, resp, textOf } from "./wire.js";

export class Connection implements Disposable {
  readonly socket: Socket;
  /** Messages received, oldest first. */
  readonly heard: Message[] = [];
  closed = false;
  /** Resolves when the daemon has closed the connection. */
  readonly end: Promise<void>;
  readonly #reader = new MessageReader();
  readonly #watchers = new Set<() => void>();
  readonly #taken = new Map<string, number>();
  readonly #listeners: ((message: Message) => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      for (const message of this.#reader.push(chunk)) {
        this.heard.push(message);
        for (const listen of this.#listeners) listen(message);
      }
      this.#tell();
    });
    this.end = new Promise((resolve) => {
      const end = () => {
        this.closed = true;
        this.#tell();
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

  /** Sends one message: its name and elements. */
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
   * Returns the next message of this name that was not yet taken.
   * @throws Error  the daemon closed first; contains its last message
   */
  async next(name: string): Promise<Message> {
    const taken = this.#taken.get(name) ?? 0;
    const found = await this.until(() => this.named(name)[taken]);
    if (found === undefined) throw new Error(`closed instead of ${name}: ${this.lastWord}`);
    this.#taken.set(name, taken + 1);
    return found;
  }

  /**
   * Waits for `look` to find something.
   * @returns what it finds; undefined: the daemon has closed, and it found nothing
   */
  async until<T>(look: () => T | undefined | false): Promise<T | undefined> {
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      if (this.closed) return undefined;
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  named(name: string): Message[] {
    return this.heard.filter(([head]) => textOf(head) === name);
  }

  /** The last message received, for the errors of failing tests. */
  get lastWord(): string {
    return (this.heard.at(-1) ?? []).slice(0, 3).map(textOf).join(" ");
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #tell(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watch of watchers) watch();
  }
}
