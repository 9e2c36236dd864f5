/** A port of the loopback that forwards to another one, until it is cut: once, or for a time. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { listenAtFreePort } from "./free-port.js";

export class CuttablePort implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Whether no connection comes through. */
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

  /** Opens the port. @param target  returns the port to which it forwards */
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

  /** Ends all connections; new ones come through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isCut = true;
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
