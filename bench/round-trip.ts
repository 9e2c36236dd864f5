/** Calls of minimal servers: the same bytes are written to all of them, and the first complete answer counts. */
import { connect } from "node:net";

export interface RoundTrip extends Disposable {
  /** Waits until one of the servers has answered all calls so far. */
  call(): Promise<void>;
}

/**
 * Connects to servers.
 * @param request  returns the bytes of the next call
 * @param answerBytes  the length of each answer
 */
export function roundTrip(ports: readonly number[], request: () => Buffer, answerBytes: number): RoundTrip {
  let calls = 0;
  let answered: () => void = () => {};
  const sockets = ports.map((port) => {
    let received = 0;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    return socket.on("data", ({ length }) => {
      received += length;
      if (received === calls * answerBytes) answered();
    });
  });
  return {
    call: () =>
      new Promise((resolve) => {
        calls++;
        answered = resolve;
        const bytes = request();
        for (const socket of sockets) socket.write(bytes);
      }),
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
