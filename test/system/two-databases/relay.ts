/** A TCP relay that can be cut. Data in the relay is then lost, as in a network, and neither end is notified. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "../../support/free-port.js";

export class Relay implements Disposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(port: number, target: number) {
    this.port = port;
    this.#server = createServer((near) => this.#join(near, connect({ port: target, host: "127.0.0.1" })));
  }

  /** Starts a relay. @param target  the port to forward to, on the loopback interface */
  static async start(target: number): Promise<Relay> {
    const relay = new Relay(await freePort(), target);
    await once(relay.#server.listen(relay.port, "127.0.0.1"), "listening");
    return relay;
  }

  cut(): void {
    this.#isCut = true;
  }

  /** Reconnects the relay. Connections that were cut are closed. */
  mend(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay();
      from.on("data", (chunk) => {
        if (!this.#isCut) to.write(chunk);
      });
      // While it is cut, the relay does not forward the end of a connection.
      from.on("close", () => {
        this.#sockets.delete(from);
        if (!this.#isCut) to.destroy();
      });
      from.on("error", () => {});
    }
  }
}
