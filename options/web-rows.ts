/** The options of --ws, the listener for browsers. */
import { formatPlace, parsePlace } from "../net/process/place.js";
import { list, text, toggle } from "./forms.js";
import { row } from "./option-row.js";

const ORIGINS_MAX = 256;

export const WEB = {
  /** The address of version 2 over WebSocket; null: none. */
  ws: row({
    flags: "--ws <place>",
    help: "serve browsers (version 2 over WebSocket) on a port of 127.0.0.1 (1180, say), or on address:port",
    form: text(parsePlace, formatPlace),
    fallback: null,
    reload: "restart",
    example: "1180",
    needs: ["signKey"],
  }),
  /** Origins as browsers write them. */
  wsOrigins: row({
    flags: "--ws-origin <origin>",
    help: "a site whose pages may connect there (repeatable); unless one is named, on loopback those of this machine",
    form: list<string>({ parse: parseOrigin, format: (origin) => origin, check: checkOrigins }),
    fallback: [],
    reload: "restart",
    example: "https://shop.example",
    needs: ["ws", "signKey"],
  }),
  wsCompress: row({
    flags: "--ws-compress",
    help: "has no effect any more: messages are not deflated",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
    needs: ["ws", "signKey"],
  }),
} as const;

/** @throws RangeError */
function parseOrigin(given: string): string {
  const url = URL.parse(given);
  const origin = given.toLowerCase().replace(/\/$/, "");
  // Of schemes that browsers' extensions have there is no origin but what is written.
  if (url === null || !/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(origin))
    throw new RangeError("Expected a site as browsers name it: https://shop.example, http://localhost:8080.");
  return /^https?:$/.test(url.protocol) ? url.origin : origin;
}

function checkOrigins(origins: readonly string[]): void {
  if (origins.length > ORIGINS_MAX) throw new RangeError(`Expected ${ORIGINS_MAX} sites at most.`);
}
