/**
 * The files of the page, and its security policy: the browser may load only these files, and connect only to the chat
 * servers.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";

interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

/** The folder of the page in the sources, since these files are not compiled. */
const page = new URL("../../../examples/chat/page/", import.meta.url);
const compiled = new URL("./", import.meta.url);

const file = (folder: URL, name: string, type: string): PageFile => ({
  type: `${type}; charset=utf-8`,
  bytes: readFileSync(new URL(name, folder)),
});

const script = "text/javascript";
const FILES: Readonly<Record<string, PageFile>> = {
  "/": file(page, "index.html", "text/html"),
  "/page.css": file(page, "page.css", "text/css"),
  "/page.js": file(page, "page.js", script),
  "/timeline.js": file(page, "timeline.js", script),
  "/conversation.js": file(compiled, "conversation.js", script),
  "/page-frames.js": file(compiled, "page-frames.js", script),
};

export function pageAt(
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
  servers: readonly string[],
): void {
  const found = FILES[url.split("?")[0] as string];
  if (method !== "GET" && method !== "HEAD")
    return void response.writeHead(405, { allow: "GET, HEAD" }).end();
  if (found === undefined) return void response.writeHead(404).end();
  response.writeHead(200, {
    "content-type": found.type,
    "content-length": found.bytes.length,
    "cache-control": "no-cache",
    "content-security-policy": [
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:",
      `connect-src 'self' ${servers.join(" ")}`,
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ].join("; "),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  response.end(method === "HEAD" ? undefined : found.bytes);
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Returns whether a page belongs to one of the servers or to a configured site. For servers on this machine, all names
 * of the machine are equivalent.
 */
export function isOwnSite(
  origin: string,
  servers: readonly string[],
  named: readonly string[],
  host: string,
): boolean {
  if (named.includes(origin)) return true;
  const site = partsOf(origin);
  if (site === null) return false;
  return servers.some((server) => {
    const own = partsOf(server);
    if (own === null || own.port !== site.port || own.isSecure !== site.isSecure) return false;
    const isHere = LOOPBACK.test(own.hostname) || own.hostname === "0.0.0.0" || LOOPBACK.test(host);
    return own.hostname === site.hostname || (isHere && LOOPBACK.test(site.hostname));
  });
}

function partsOf(address: string): { hostname: string; port: string; isSecure: boolean } | null {
  if (!URL.canParse(address)) return null;
  const { hostname, port, protocol } = new URL(address);
  const isSecure = protocol === "wss:" || protocol === "https:";
  return { hostname, port: port || (isSecure ? "443" : "80"), isSecure };
}
