/** The options of --ws, the listener for browsers. */
import { formatHostAndPort, parseHostAndPort } from "../net/process/host-and-port.js";
import { row } from "./option-row.js";
import { list, text } from "./value-forms.js";

const ORIGINS_MAX = 256;

export const WEB = {
  /** The address for version 2 over WebSocket, or null if there is none. */
  ws: row({
    flags: "--ws <address>",
    help: "serve browsers (version 2 over WebSocket) on a port of 127.0.0.1 (such as 1180), or on address:port",
    form: text(parseHostAndPort, formatHostAndPort),
    fallback: null,
    face: "web",
    reload: "restart",
    example: "1180",
    needs: ["signKey"],
  }),
  /** The permitted origins, in the form in which browsers send them. */
  wsOrigins: row({
    flags: "--ws-origin <origin>",
    help: "a site whose pages may connect to --ws (repeatable; default: on loopback, sites of this machine)",
    form: list<string>({ parse: parseOrigin, format: (origin) => origin, check: checkOrigins }),
    fallback: [],
    face: "web",
    reload: "restart",
    example: "https://shop.example",
    needs: ["ws", "signKey"],
  }),
} as const;

/** Parses an origin. @throws RangeError */
function parseOrigin(text: string): string {
  const url = URL.parse(text);
  const origin = text.toLowerCase().replace(/\/$/, "");
  // URL has no origin for the schemes of browser extensions, so their text is used.
  if (url === null || !/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(origin))
    throw new RangeError(
      "Expected a site as browsers name it, such as https://shop.example or http://localhost:8080.",
    );
  return /^https?:$/.test(url.protocol) ? url.origin : origin;
}

function checkOrigins(origins: readonly string[]): void {
  if (origins.length > ORIGINS_MAX) throw new RangeError(`Expected at most ${ORIGINS_MAX} sites.`);
}
