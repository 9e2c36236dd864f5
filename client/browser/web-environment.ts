import type { ClientEnvironment, DaemonSocket, SocketEvents, Timer } from "../shared/client-environment.js";
import type { Endpoint } from "../shared/server-list.js";

/** The subprotocol of `--ws`. */
const PROTOCOL = "dbsync2";

/** The part of WebSocket that the client uses, so that tests can replace it. */
interface Messages {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: ArrayBuffer }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export type MakeSocket = (url: string, protocol: string) => Messages;

export const browserSocket: MakeSocket = (url, protocol) => new WebSocket(url, protocol) as Messages;

/** The machine counts as having slept if the wall clock has advanced this much further than performance.now(). */
const SLEEP_MS = 1_000;

/** The environment of a client in a browser: its clock, its timers, and WebSockets. */
export class WebEnvironment implements ClientEnvironment {
  readonly random = Math.random;
  /** Milliseconds that the machine has slept: performance.now() stops during sleep, and the daemons' clocks do not. */
  #slept = 0;
  #ahead = Number.POSITIVE_INFINITY;
  readonly #makeSocket: MakeSocket;

  constructor(makeSocket: MakeSocket) {
    this.#makeSocket = makeSocket;
  }

  now(): number {
    const awake = performance.now();
    const ahead = Date.now() - awake;
    if (ahead > this.#ahead + SLEEP_MS) this.#slept += ahead - this.#ahead;
    this.#ahead = ahead;
    return awake + this.#slept;
  }

  wallClock(): number {
    return Date.now();
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  setTimer(ms: number, fire: () => void): Timer {
    const timeout = setTimeout(fire, ms);
    return { cancel: () => clearTimeout(timeout), keepProcessAlive() {} };
  }

  openSocket({ text = "" }: Endpoint, events: SocketEvents): DaemonSocket {
    const socket = this.#makeSocket(text, PROTOCOL);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened();
    socket.onmessage = ({ data }) => events.received(Buffer.from(data));
    // Browsers do not report to pages why a connection was closed.
    socket.onclose = ({ code }) => events.closed({ message: `WebSocket closed (${code})` });
    socket.onerror = () => {};

    return {
      write: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
      unsentBytes: () => socket.bufferedAmount,
      destroy() {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
      },
    };
  }
}
