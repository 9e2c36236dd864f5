/** The address of a server, and a function that connects to it. */
import { connect, type Socket } from "node:net";
import { InvalidArgumentError } from "commander";
import type { TlsPeer } from "../../../client/shared/server-list.js";
import { parseServerUrl, type ServerAddress } from "../../../client/shared/server-url.js";
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

const PLAIN = "sql://";

/**
 * Parses an address.
 * @param text  `[sql://]host[:port]` or `sqls://host[:port]#sha256:…`
 * @throws InvalidArgumentError
 */
export function parseUpstreamAddress(text: string, port: number): UpstreamAddress {
  const url = text.includes("://") ? text : PLAIN + text;
  const { host, port: its, tls, login } = addressOf(url, port);
  if (/^\d+$/.test(host))
    throw new InvalidArgumentError(
      `"${host}" is a port without a host. If the server is on this machine, use 127.0.0.1:${host}.`,
    );
  // The address appears in logs and errors, so it must not contain a password. Clients log in themselves.
  if (login !== null)
    throw new InvalidArgumentError(
      "The address must not contain a user and a password: clients log in themselves.",
    );
  return { host, port: its, tls, text: text.startsWith(PLAIN) ? text.slice(PLAIN.length) : text };
}

/** Parses a URL. @throws InvalidArgumentError */
function addressOf(url: string, port: number): ServerAddress {
  try {
    return parseServerUrl(url, { scheme: "sql", port });
  } catch (problem) {
    throw problem instanceof RangeError ? new InvalidArgumentError(problem.message) : problem;
  }
}
