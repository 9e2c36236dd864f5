/**
 * A loopback port that forwards to another port. A test can hold it (bytes wait, and no connection is closed),
 * release it or cut it.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "./free-port.js";

export class Gate implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isHeld = false;
  #isShut = false;
  /** The connections that arrived while the gate was held. */
  #waiting: Socket[] = [];
  readonly #target: () => number;
  /** A callback for each new connection, even if it is closed or has to wait. */
  onConnection: () => void = () => {};

  private constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      socket.on("error", () => {});
      this.onConnection();
      if (this.#isShut) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      if (this.#isHeld) this.#waiting.push(socket);
      else this.#join(socket);
    });
  }

  static async open(target: () => number): Promise<Gate> {
    const gate = new Gate(target);
    await listenAtFreePort(gate.#server);
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Holds all bytes in both directions, and new connections, until the release. */
  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Forwards the waiting bytes and all later bytes. Also opens a closed gate. */
  release(): void {
    this.#isHeld = false;
    this.#isShut = false;
    for (const socket of this.#sockets) if (!this.#waiting.includes(socket)) socket.resume();
    for (const socket of this.#waiting.splice(0)) if (!socket.destroyed) this.#join(socket);
  }

  /** Closes all connections. Waiting bytes are lost. */
  cut(): void {
    this.#waiting = [];
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Closes all connections, and each new connection until the gate is released. */
  shut(): void {
    this.#isShut = true;
    this.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(socket: Socket): void {
    const other = connect(this.#target(), "127.0.0.1");
    this.#sockets.add(other);
    other.on("error", () => {});
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      from.setNoDelay(true);
      from.on("data", (chunk: Buffer) => void to.write(chunk));
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#isHeld) from.pause();
      else from.resume();
    }
  }
}
