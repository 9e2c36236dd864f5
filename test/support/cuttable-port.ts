/** A loopback port that forwards to another port. A test can cut its connections once, or block it for a time. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "./free-port.js";

export class CuttablePort implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Whether the port closes every new connection. */
  #isCut = false;

  private constructor(target: () => number) {
    this.#server = createServer((socket) => {
      if (this.#isCut) {
        socket.destroy();
        return;
      }
      const other = connect(target(), "127.0.0.1");
      for (const [from, to] of [
        [socket, other],
        [other, socket],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
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

  set isCut(isCut: boolean) {
    this.#isCut = isCut;
    if (isCut) this.cut();
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
