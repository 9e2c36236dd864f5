/** A TCP client that sends and receives plain bytes, for tests of daemons. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { inTime } from "./until.js";

/** The maximum number of unread bytes that an error shows. */
const SHOWN_BYTES_MAX = 200;

export class RawClient implements Disposable {
  readonly socket: Socket;
  #received = "";
  #ended = false;
  /** Resumes the reads that wait for bytes or for the end. */
  #resumers: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    socket.on("end", () => this.#markEnded());
    socket.on("close", () => this.#markEnded());
    // A connection reset also ends the stream.
    socket.on("error", () => this.#markEnded());
  }

  static async open(port: number, host = "127.0.0.1"): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Whether the other side has closed. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The bytes that have arrived and have not been read yet. */
  get received(): string {
    return this.#received;
  }

  /** Sends bytes. @param bytes  one character per byte */
  send(bytes: string): void {
    this.socket.write(bytes, "latin1");
  }

  /** Sends one unsigned command as a frame. */
  sendCommand(line: string): void {
    const text = `${line}\0`;
    this.send(`ds:${text.length}:${text}`);
  }

  /** Reads `count` bytes, or fewer if the other side closes the connection first. */
  async read(count: number): Promise<string> {
    while (this.#received.length < count && !this.#ended) await this.#untilChange();
    const chunk = this.#received.slice(0, count);
    this.#received = this.#received.slice(count);
    return chunk;
  }

  /** Reads up to and including `end`, or everything that arrives before the other side closes. */
  async readTo(end: string): Promise<string> {
    for (let searched = 0; ; ) {
      const found = this.#received.indexOf(end, searched);
      if (found >= 0) return await this.read(found + end.length);
      if (this.#ended) return await this.read(this.#received.length);
      searched = Math.max(0, this.#received.length - end.length + 1);
      await this.#untilChange();
    }
  }

  /** Reads the payload of one response frame. @returns "" if the other side closes instead */
  async readAnswer(): Promise<string> {
    for (;;) {
      const header = /^ds:(\d+):/.exec(this.#received);
      const length = header === null ? Number.POSITIVE_INFINITY : header[0].length + Number(header[1]);
      if (this.#received.length >= length) return (await this.read(length)).slice(header?.[0].length);
      if (this.#ended) return "";
      await this.#untilChange();
    }
  }

  /** Sends an unsigned command to a daemon with one database. @returns the value in its answer */
  async request(line: string): Promise<string> {
    this.sendCommand(line);
    return (await this.readAnswer()).replace(/^redis:\d+:/, "").replace(/\0$/, "");
  }

  /** Waits until the other side has closed. @returns all bytes that have not been read before */
  async readToClose(): Promise<string> {
    while (!this.#ended) await this.#untilChange();
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #markEnded(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const resume of this.#resumers.splice(0)) resume();
  }

  /**
   * Waits until bytes arrive or the other side closes.
   * @throws Error  neither happens within the time limit of `until`
   */
  #untilChange(): Promise<void> {
    const changed = new Promise<void>((resolve) => void this.#resumers.push(resolve));
    return inTime(
      () => `no bytes have arrived; unread: ${JSON.stringify(this.#received.slice(0, SHOWN_BYTES_MAX))}`,
      changed,
    );
  }
}
