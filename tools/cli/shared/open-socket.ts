/** Opens connections to servers of other protocols, with or without TLS. Errors have the wording of C programs. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import type { Endpoint } from "../../../client/shared/server-list.js";
import { connectTls, HANDSHAKE_TIMEOUT, handshakeFailure } from "../../../client/shared/tls-connection.js";

/** Runs a step once after the given milliseconds. @returns a function that cancels it */
export function setTimer(milliseconds: number, step: () => void): () => void {
  const timer = setTimeout(step, milliseconds);
  return () => clearTimeout(timer);
}

/**
 * Opens a connection. With TLS, the promise resolves after the server has proved its identity.
 * @param ms  time limit for the connection and the handshake, in milliseconds
 * @param plain  the scheme of an address without TLS, for messages, such as `json://`
 * @throws Error  with the system's message and number, such as `Connection refused (111)`
 */
export async function openSocket({ host, port, tls }: Endpoint, ms: number, plain: string): Promise<Socket> {
  if (tls !== null) return openTlsSocket({ host, port, tls }, ms, plain);
  const socket = connect({ host, port, noDelay: true });
  const timer = setTimeout(() => socket.destroy(new Error(systemMessage("ETIMEDOUT"))), ms);
  try {
    await once(socket, "connect");
    return socket;
  } catch (problem) {
    throw connectProblem(problem as NodeJS.ErrnoException);
  } finally {
    clearTimeout(timer);
  }
}

function openTlsSocket(
  endpoint: Parameters<typeof connectTls>[0],
  ms: number,
  plain: string,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    const fail = (reason: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(reason);
    };
    const failWith = (problem: NodeJS.ErrnoException | null) =>
      fail(
        problem === null || isConnected
          ? new Error(handshakeFailure(problem, plain))
          : connectProblem(problem),
      );

    const timer = setTimeout(
      () => fail(new Error(isConnected ? HANDSHAKE_TIMEOUT : systemMessage("ETIMEDOUT"))),
      ms,
    );

    const socket = connectTls(endpoint, {
      failed: (reason) => fail(new Error(reason)),
      secured() {
        clearTimeout(timer);
        socket.off("error", failWith).off("close", closed);
        resolve(socket);
      },
    });

    const closed = () => failWith(null);
    socket.on("error", failWith).on("close", closed);
    socket.on("connect", () => {
      isConnected = true;
      socket.setNoDelay(true);
    });
  });
}

function connectProblem({ code = "", message }: NodeJS.ErrnoException): Error {
  return new Error(code === "" ? message : systemMessage(code));
}

/** Returns an error's message and number as C programs print them. */
function systemMessage(code: string): string {
  if (code === "ENOTFOUND") return "the host name was not resolved (ENOTFOUND)";
  const number = (constants.errno as Readonly<Record<string, number | undefined>>)[code] ?? 0;
  const text = getSystemErrorMap().get(-number)?.[1];
  return text === undefined ? code : `${text[0]!.toUpperCase()}${text.slice(1)} (${number})`;
}
