/** The address of a server, and a function that connects to it. */
import { connect, type Socket } from "node:net";
import type { TlsPeer } from "../../../client/shared/server-list.js";
import { connectTls, handshakeFailure } from "../../../client/shared/tls-connection.js";

export interface UpstreamAddress {
  readonly host: string;
  readonly port: number;
  /** The required proof of identity, or null if the connection is not encrypted. */
  readonly tls: TlsPeer | null;
  /** The address as the user wrote it, for messages. */
  readonly text: string;
}

export interface ConnectHandlers {
  /** Called when bytes may be written. */
  connected(): void;
  /** Called instead of `connected` if the connection failed. */
  failed(detail: string): void;
}

export function connectTo(serverAddress: UpstreamAddress, handlers: ConnectHandlers): Socket {
  const { host, port, tls } = serverAddress;
  let isOver = false;
  const once = (step: () => void) => {
    if (isOver) return;
    isOver = true;
    step();
  };
  if (tls === null) {
    const socket = connect({ host, port, noDelay: true });
    socket.once("connect", () => once(() => handlers.connected()));
    socket.once("error", (problem) => once(() => handlers.failed(codeOf(problem))));
    return socket;
  }
  const socket = connectTls(
    { host, port, tls },
    {
      secured: () => once(() => handlers.connected()),
      failed: (certificateProblem) => once(() => handlers.failed(certificateProblem)),
    },
  );
  socket.once("connect", () => socket.setNoDelay(true));
  socket.once("error", (problem) => once(() => handlers.failed(handshakeFailure(problem, "sql://"))));
  return socket;
}

export const codeOf = (problem: NodeJS.ErrnoException): string => problem.code ?? problem.message;
