/** What is answered to a client of a web server whose bytes are no request of HTTP. */
import type { Duplex } from "node:stream";

/** What `node:http` reports as `clientError`. */
export interface NotHttp extends Error {
  readonly code?: string;
  /** The bytes that were no HTTP. */
  readonly rawPacket?: Buffer;
}

/** By `node:http`'s own codes; of all others it is the request that is wrong. */
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
