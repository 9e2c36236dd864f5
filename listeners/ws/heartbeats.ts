/**
 * Asks clients for signs of life, so that those that have gone without a word are known, and whatever stands between lets the others
 * be. Browsers ask for none themselves. Who does not answer is silent, and closed as such.
 */
import type { Environment } from "../../net/process/environment.js";
import type { Limits } from "../../options/limits.js";
import type { MessageSocket } from "./message-socket.js";

export interface HeartbeatHost {
  readonly environment: Pick<Environment, "setTimer">;
  /** Replaced when the configuration is read again. */
  readonly limits: Pick<Limits, "wsPing">;
}

export class Heartbeats {
  readonly #host: HeartbeatHost;
  readonly #sockets = new Set<MessageSocket>();
  #stop: (() => void) | null = null;

  constructor(host: HeartbeatHost) {
    this.#host = host;
  }

  /** Until it closes. */
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
