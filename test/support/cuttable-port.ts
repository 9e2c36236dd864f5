/**
 * A loopback port that forwards to another port. A test can cut its connections once, block it for a time, hold
 * back its bytes, in one direction or both, without closing a connection, or delay them like a long link.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";
import { listenAtFreePort } from "./free-port.js";

/** A direction of bytes: to the port that this one forwards to, or back to its clients. */
export type Direction = "forward" | "back";

interface Flow {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket | Transform;
}

export class CuttablePort implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The two directions of each connection. */
  readonly #flows = new Set<Flow>();
  /** Whether the port closes every new connection. */
  #isCut = false;
  readonly #held = new Set<Direction>();
  /** A callback for each new connection, even if it is closed immediately. */
  onConnection: () => void = () => {};

  private constructor(target: () => number, delayMs: number) {
    this.#server = createServer((socket) => {
      this.onConnection();
      if (this.#isCut) {
        socket.destroy();
        return;
      }
      const other = connect(target(), "127.0.0.1");
      for (const [direction, from, to] of [
        ["forward", socket, other],
        ["back", other, socket],
      ] as const) {
        const flow = { direction, from, to: delayMs === 0 ? to : delayTo(to, delayMs) };
        this.#sockets.add(from);
        this.#flows.add(flow);
        if (!this.#held.has(direction)) from.pipe(flow.to);
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          this.#flows.delete(flow);
          to.destroy();
        });
      }
    });
  }

  /**
   * Opens the port.
   * @param target   returns the port to forward to
   * @param delayMs  the milliseconds that bytes need in each direction
   */
  static async open(target: () => number, delayMs = 0): Promise<CuttablePort> {
    const port = new CuttablePort(target, delayMs);
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
    for (const direction of ["forward", "back"] as const) this.hold(direction, isHeld);
  }

  /** Stores the bytes of one direction instead of forwarding them, or forwards them again. */
  hold(direction: Direction, isHeld: boolean): void {
    if (this.#held.has(direction) === isHeld) return;
    if (isHeld) this.#held.add(direction);
    else this.#held.delete(direction);
    for (const flow of this.#flows) {
      if (flow.direction !== direction) continue;
      if (isHeld) flow.from.unpipe(flow.to);
      else flow.from.pipe(flow.to);
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

/** Returns a stream that forwards to a socket after a delay. */
function delayTo(to: Socket, delayMs: number): Transform {
  const delayed = new Transform({
    transform(chunk: Buffer, _, taken) {
      setTimeout(() => this.push(chunk), delayMs);
      taken();
    },
    flush: (ended) => void setTimeout(ended, delayMs),
  });
  delayed.pipe(to);
  return delayed;
}
