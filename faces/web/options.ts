/** The options of --ws, the listener for browsers, and its limit. */
import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import { fail } from "../../daemon/net/process/service.js";
import { type LimitsOf, row, type ValuesOf } from "../../daemon/options/option-row.js";
import { refuseOpen } from "../../daemon/options/reachable-addresses.js";
import { isSigned, type Settings } from "../../daemon/options/settings.js";
import { HOUR, type LimitRow, listenAddress, listForm, SECOND } from "../../daemon/options/value-forms.js";

const ORIGINS_MAX = 256;

export const WEB_OPTIONS = {
  /** The address for version 2 over WebSocket, or null if there is none. */
  ws: row({
    flags: "--ws <address>",
    help: "serve browsers (version 2 over WebSocket) on a port of 127.0.0.1 (such as 1180), or on address:port",
    form: listenAddress,
    fallback: null,
    reload: "restart",
    example: "1180",
    isListener: true,
    needs: ["signKey"],
    section: "Browsers:",
  }),
  /** The permitted origins, in the form in which browsers send them. */
  wsOrigins: row({
    flags: "--ws-origin <origin>",
    help: "a site whose pages may connect to --ws (repeatable; default: on loopback, sites of this machine)",
    form: listForm<string>({ parse: parseOrigin, format: (origin) => origin, check: checkOrigins }),
    fallback: [],
    reload: "restart",
    example: "https://shop.example",
    needs: ["ws", "signKey"],
    section: "Browsers:",
    after: "ws",
  }),
} as const;

export const WEB_LIMITS = {
  wsPing: {
    flag: "ws-ping",
    unit: "time",
    fallback: 20 * SECOND,
    min: SECOND,
    max: HOUR,
    summary: "WebSocket: interval of pings; a client that does not answer them counts as idle",
    reason: "proxies close connections that are silent for a minute; several pings fit into --idle-timeout",
    after: "mongoCursorTimeout",
  },
} as const satisfies Record<string, LimitRow>;

declare module "../../daemon/options/option-row.js" {
  interface FaceLimits extends LimitsOf<typeof WEB_LIMITS> {}
  interface FaceSettings extends ValuesOf<typeof WEB_OPTIONS> {}
}

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

/** Checks the options of --ws. @throws StartError  the message says what to do */
export function checkWebOptions(settings: Settings): void {
  const { ws, wsOrigins } = settings;
  if (ws === null) {
    if (wsOrigins.length > 0) fail("--ws-origin lists sites whose pages may connect to --ws: add --ws.");
    return;
  }
  if (!isSigned(settings))
    fail(
      "--ws accepts only signed commands, because pages of any site can connect from browsers on this machine: add -s public.pem.",
    );
  if (isLoopback(ws.address) !== true) refuseOpen(ws.address, settings);
}
