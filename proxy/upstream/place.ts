/** The address of a server, and a socket to it. */
import { connect, type Socket } from "node:net";
import type { TlsPeer } from "../../client/shared/servers.js";
import { connectTls, handshakeTrouble } from "../../client/shared/tls.js";

export interface UpstreamPlace {
  readonly host: string;
  readonly port: number;
  /** null: without encryption. */
  readonly tls: TlsPeer | null;
  /** The address as it was written, for messages. */
  readonly text: string;
}

export interface ConnectingTo {
  /** Bytes may be written from now on. */
  connected(): void;
  /** Is called only before `connected`: there is no connection. */
  failed(detail: string): void;
}

export function connectTo(place: UpstreamPlace, told: ConnectingTo): Socket {
  const { host, port, tls } = place;
  let isOver = false;
  const once = (step: () => void) => {
    if (isOver) return;
    isOver = true;
    step();
  };
  if (tls === null) {
    const socket = connect({ host, port, noDelay: true });
    socket.once("connect", () => once(() => told.connected()));
    socket.once("error", (problem) => once(() => told.failed(codeOf(problem))));
    return socket;
  }
  const socket = connectTls(
    { host, port, tls },
    {
      secured: () => once(() => told.connected()),
      failed: (doubt) => once(() => told.failed(doubt)),
    },
  );
  socket.once("connect", () => socket.setNoDelay(true));
  socket.once("error", (problem) => once(() => told.failed(handshakeTrouble(problem, "sql://"))));
  return socket;
}

export const codeOf = (problem: NodeJS.ErrnoException): string => problem.code ?? problem.message;
