/** Answers a client of a web server whose bytes are not an HTTP request. */
import type { Duplex } from "node:stream";

/** The error that `node:http` emits as `clientError`. */
export interface NotHttp extends Error {
  readonly code?: string;
  /** The bytes that were no HTTP. */
  readonly rawPacket?: Buffer;
}

/** Status by `node:http`'s own error codes; any other code means that the request is wrong. */
const STATUS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/** Answers in HTTP, or as `foreign` says, and closes. @param foreign  the answer in the client's protocol; null: there is none */
export function refuseNotHttp({ code = "" }: NotHttp, socket: Duplex, foreign: string | null): void {
  if (!socket.writable || code === "ECONNRESET") return void socket.destroy();
  const answer = foreign ?? `HTTP/1.1 ${STATUS[code] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`;
  socket.end(answer, "latin1", () => socket.destroy());
}
