/** A TCP client that sends and receives plain bytes, for tests of daemons. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { inTime } from "./until.js";

/** The maximum number of unread bytes that an error shows. */
const SHOWN_BYTES_MAX = 200;

export class RawClient implements Disposable {
  readonly socket: Socket;
  /** The bytes that have arrived and are not read yet. */
  #received = "";
  #ended = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
    // A connection reset also ends the stream.
    socket.on("error", () => this.#finish());
  }

  static async open(port: number, host = "127.0.0.1"): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Whether the other side has closed. */
  get ended(): boolean {
    return this.#ended;
  }

  get received(): string {
    return this.#received;
  }

  /** Sends bytes. @param bytes  one character per byte */
  send(bytes: string): void {
    this.socket.write(bytes, "latin1");
  }

  /** Sends one unsigned command as a frame. */
  command(line: string): void {
    const text = `${line}\0`;
    this.send(`ds:${text.length}:${text}`);
  }

  /** Reads this number of bytes, or fewer if the other side closes the connection first. */
  async read(bytes: number): Promise<string> {
    while (this.#received.length < bytes && !this.#ended) await this.#change();
    const read = this.#received.slice(0, bytes);
    this.#received = this.#received.slice(bytes);
    return read;
  }

  /** Reads up to and including `end`, or everything that arrives before the other side closes. */
  async readTo(end: string): Promise<string> {
    for (let searched = 0; ; ) {
      const found = this.#received.indexOf(end, searched);
      if (found >= 0) return await this.read(found + end.length);
      if (this.#ended) return await this.read(this.#received.length);
      searched = Math.max(0, this.#received.length - end.length + 1);
      await this.#change();
    }
  }

  /** Reads the payload of one response frame. @returns "" if the other side closes instead */
  async answer(): Promise<string> {
    for (;;) {
      const header = /^ds:(\d+):/.exec(this.#received);
      const length = header === null ? Number.POSITIVE_INFINITY : header[0].length + Number(header[1]);
      if (this.#received.length >= length) return (await this.read(length)).slice(header?.[0].length);
      if (this.#ended) return "";
      await this.#change();
    }
  }

  /** Sends an unsigned command to a daemon with one database. @returns the value in its answer */
  async ask(line: string): Promise<string> {
    this.command(line);
    return (await this.answer()).replace(/^redis:\d+:/, "").replace(/\0$/, "");
  }

  /** Waits until the other side has closed the connection. @returns the bytes that were not read before */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#change();
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #finish(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /**
   * Waits until bytes arrive or the other side closes.
   * @throws Error  neither happens within the time limit of `until`
   */
  #change(): Promise<void> {
    const changed = new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return inTime(
      () => `no bytes have arrived; unread: ${JSON.stringify(this.#received.slice(0, SHOWN_BYTES_MAX))}`,
      changed,
    );
  }
}
