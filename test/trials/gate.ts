/**
 * A port of the loopback that forwards to another one: a test holds it (bytes wait, nothing is closed), releases it,
 * or cuts it.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "../support/free-port.js";

export class Gate implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isHeld = false;
  #isShut = false;
  /** Connections that came while the gate was held. */
  #waiting: Socket[] = [];
  readonly #target: () => number;
  /** Called for each new connection, even if it is closed or waits. */
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

  /** Lets bytes wait from now on, in both directions, and new connections as well. */
  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Forwards what waited, then everything; opens a gate that was shut. */
  release(): void {
    this.#isHeld = false;
    this.#isShut = false;
    for (const socket of this.#sockets) if (!this.#waiting.includes(socket)) socket.resume();
    for (const socket of this.#waiting.splice(0)) if (!socket.destroyed) this.#join(socket);
  }

  /** Closes all connections; waiting bytes are lost. */
  cut(): void {
    this.#waiting = [];
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts, and closes new connections until the gate is released. */
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
