/**
 * Sockets that read into one buffer, the same for all of a listener: for each read of its own Node makes 64 KiB, cuts them
 * down and leaves them to the garbage collector, a third of the cost of a short command. The documented option for that,
 * `onread`, is for sockets that connect; one that was accepted has to be taken over by its handle.
 */
import { type ConnectOpts, Socket, type SocketConstructorOpts } from "node:net";

/** Four times what Node reads in one call by default: values of 64 KiB arrive in one piece, and are copied once. */
const BUFFER_BYTES = 256 * 1024;

/** Members that Node's types leave out: constructor options and sockets have them since version 0.x. */
interface Handled {
  _handle?: object | null;
}

export class SharedInput {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  readonly #copies: boolean;

  /** @param copies  whether each chunk is a copy, which belongs to its receiver; otherwise it is only lent, and the next one overwrites it */
  constructor(copies = false) {
    this.#copies = copies;
  }

  /**
   * @param accepted  just now by a server, with half-open connections allowed; not to be used any longer
   * @returns a socket for the same connection. The same socket where it has no handle of its own to give, as in TLS
   */
  take(accepted: Socket): Socket {
    const { _handle: handle } = accepted as Handled;
    if ("encrypted" in accepted || handle === null || handle === undefined) return accepted;
    (accepted as Handled)._handle = null;
    const callback = (length: number, buffer: Uint8Array) => {
      const chunk = (buffer as Buffer).subarray(0, length);
      socket.emit("data", this.#copies ? Buffer.from(chunk) : chunk);
      return true;
    };
    const options: SocketConstructorOpts & ConnectOpts & { handle: object } = {
      handle,
      allowHalfOpen: true,
      readable: true,
      writable: true,
      onread: { buffer: this.#buffer, callback },
    };
    const socket = new Socket(options);
    return socket;
  }
}
