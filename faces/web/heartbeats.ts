/**
 * Pings clients, so that lost ones are detected and proxies do not close idle connections. Browsers send no pings
 * themselves. A client that does not reply counts as silent, and is disconnected for that reason.
 */
import type { DaemonSocketHost } from "../../daemon/listener/daemon-listener.js";
import type { MessageSocket } from "./message-socket.js";

export class Heartbeats {
  readonly #host: DaemonSocketHost;
  readonly #sockets = new Set<MessageSocket>();
  #stop: (() => void) | null = null;

  constructor(host: DaemonSocketHost) {
    this.#host = host;
  }

  /** Pings the client until its socket closes. */
  begin(socket: MessageSocket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      this.#stop?.();
      this.#stop = null;
    });
    this.#stop ??= this.#plan();
  }

  #plan(): () => void {
    const { environment, limits } = this.#host;
    return environment.setTimer(limits.wsPing, () => {
      for (const socket of this.#sockets) socket.ping();
      this.#stop = this.#plan();
    });
  }
}
