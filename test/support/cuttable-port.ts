/**
 * A loopback port that forwards to another port. A test can cut its connections once, block it for a time, or hold
 * back its bytes without closing a connection.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "./free-port.js";

export class CuttablePort implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The two directions of each connection. */
  readonly #flows = new Set<{ readonly from: Socket; readonly to: Socket }>();
  /** Whether the port closes every new connection. */
  #isCut = false;
  #isHeld = false;
  /** A callback for each new connection, even if it is closed immediately. */
  onConnection: () => void = () => {};

  private constructor(target: () => number) {
    this.#server = createServer((socket) => {
      this.onConnection();
      if (this.#isCut) {
        socket.destroy();
        return;
      }
      const other = connect(target(), "127.0.0.1");
      for (const [from, to] of [
        [socket, other],
        [other, socket],
      ] as const) {
        const flow = { from, to };
        this.#sockets.add(from);
        this.#flows.add(flow);
        if (!this.#isHeld) from.pipe(to);
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          this.#flows.delete(flow);
          to.destroy();
        });
      }
    });
  }

  /** Opens the port. @param target  returns the port to forward to */
  static async open(target: () => number): Promise<CuttablePort> {
    const port = new CuttablePort(target);
    await listenAtFreePort(port.#server);
    return port;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  set isCut(isCut: boolean) {
    this.#isCut = isCut;
    if (isCut) this.cut();
  }

  /** Whether the port stores all bytes instead of forwarding them. The connections stay open. */
  set isHeld(isHeld: boolean) {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    for (const { from, to } of this.#flows) {
      if (isHeld) from.unpipe(to);
      else from.pipe(to);
    }
  }

  /** Forwards the held bytes, later bytes and new connections. */
  release(): void {
    this.isCut = false;
    this.isHeld = false;
  }

  /** Closes all connections. New connections are still forwarded. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isCut = true;
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
