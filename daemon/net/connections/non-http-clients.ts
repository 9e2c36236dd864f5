/** Refuses clients of a web server that send something other than an HTTP request. */
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

/** A client of another protocol. */
interface OtherClient {
  /** The answer in the client's protocol, or null if there is none. */
  readonly answer: string | null;
  /** Whether the client must send another message before the connection closes. */
  readonly isInterim: boolean;
}

/**
 * Refuses a client: sends an HTTP error, or an answer in the client's protocol if it is known, and closes the
 * connection.
 * @param foreign  the client of another protocol, or null if its protocol is unknown
 */
export function refuseNonHttpClient(
  { code = "" }: NonHttpClient,
  socket: Duplex,
  foreign: OtherClient | null,
): void {
  if (!socket.writable || code === "ECONNRESET") return void socket.destroy();
  if (foreign?.isInterim) return void socket.write(foreign.answer ?? "", "latin1");
  const answer =
    foreign?.answer ?? `HTTP/1.1 ${STATUS[code] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`;
  socket.end(answer, "latin1", () => socket.destroy());
}
