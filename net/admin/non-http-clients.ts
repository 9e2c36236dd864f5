/** Answers a client of a web server whose bytes are not an HTTP request. */
import type { Duplex } from "node:stream";

/** The error that `node:http` emits as `clientError`. */
export interface NonHttpClient extends Error {
  readonly code?: string;
  /** The bytes that are not HTTP. */
  readonly rawPacket?: Buffer;
}

/** The status by `node:http`'s error codes. Any other code means that the request is malformed. */
const STATUS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/**
 * Sends an HTTP response, or `foreign`, and closes the connection.
 * @param foreign  the answer in the client's protocol, or null if there is none
 */
export function refuseNonHttpClient(
  { code = "" }: NonHttpClient,
  socket: Duplex,
  foreign: string | null,
): void {
  if (!socket.writable || code === "ECONNRESET") return void socket.destroy();
  const answer = foreign ?? `HTTP/1.1 ${STATUS[code] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`;
  socket.end(answer, "latin1", () => socket.destroy());
}
