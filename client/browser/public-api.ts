/** The exports of `dbsyncd/browser`. */

import { OutboxClient } from "../outbox-client.js";
import { TIMEOUT_MS_MAX } from "../settings/call-limits.js";
import { CALL_CHECKS, checkOptions, readCallOptions } from "../settings/call-options.js";
import { badOption } from "../shared/errors.js";
import type { Address } from "../shared/server-list.js";
import type { BrowserClient, BrowserOptions } from "./browser-client.js";
import { openKey, type WebKey } from "./web-key.js";
import { browserSocket, type MakeSocket, WebEnvironment, WebPage } from "./web-page.js";

// biome-ignore lint/performance/noBarrelFile: the package's entry for browsers; no file inside imports it
export { DbsyncError } from "../shared/errors.js";
export type * from "./browser-client.js";
export { makeKey, openKey, publicKeyPem, type WebKey } from "./web-key.js";

const isFunction = (value: unknown) => typeof value === "function";

const CHECKS = {
  ...CALL_CHECKS,
  servers: () => true,
  key: (value: unknown) =>
    (typeof value === "string" && value !== "") || (typeof value === "object" && value !== null),
  cluster: (value: unknown) => typeof value === "string" && /^[\da-f]{64}$/i.test(value),
  recovered: isFunction,
  changed: isFunction,
  makeSocket: isFunction,
};

/** Opens a client that connects to the daemons' `--ws` ports. @throws DbsyncError `bad-option` */
export function createClient(options: BrowserOptions): BrowserClient {
  checkOptions(options, Object.keys(CHECKS), CHECKS);
  const {
    servers: serverList,
    key = "dbsync",
    cluster = "",
    changed = () => {},
    recovered = () => {},
    makeSocket,
    ...call
  } = options;

  const servers = readServers(serverList);
  const defaults = {
    timeout: TIMEOUT_MS_MAX,
    policy: "usual",
    format: "text",
    envelope: null,
    traceparent: null,
    signal: null,
  } as const;
  const base = { ...defaults, buffers: false, servers };
  const identity = { cluster: cluster.toLowerCase(), keyName: typeof key === "string" ? key : null };
  const settings = { ...base, ...readCallOptions(call as object, base), ...identity, changed, recovered };

  const page = new WebPage(
    settings,
    new WebEnvironment((makeSocket as MakeSocket | undefined) ?? browserSocket),
    typeof key === "string" ? openKey(key) : Promise.resolve<WebKey>(key),
  );
  (globalThis as Partial<EventTarget>).addEventListener?.("online", () => page.retry());

  const client = new OutboxClient(settings, page);
  for (const name of ["outbox", "unkept", "daemons"] as const)
    Object.defineProperty(client, name, { get: () => page[name] });
  return Object.assign(client, { publicKeyPem: () => page.publicKeyPem() }) as unknown as BrowserClient;
}

const SERVERS_MAX = 64;
const FORMS = "addresses of daemons with --ws, such as wss://db1.example:1180, as text or as a list";

/** Parses the option `servers`. @throws DbsyncError `bad-option` */
function readServers(servers: unknown): readonly Address[] {
  const list: readonly unknown[] =
    typeof servers === "string" ? servers.split(",") : Array.isArray(servers) ? servers : [];
  const found = new Map<string, Address>();
  for (const entry of list) {
    const address = typeof entry === "string" ? addressOf(entry.trim()) : null;
    if (address === null) throw badOption("servers", servers, FORMS);
    found.set(address.text, address);
  }
  if (found.size === 0 || found.size > SERVERS_MAX) throw badOption("servers", servers, FORMS);
  return [...found.values()];
}

function addressOf(entry: string): Address | null {
  if (!/^wss?:\/\//.test(entry)) return null;
  let url: URL;
  try {
    url = new URL(entry);
  } catch {
    return null;
  }

  const { protocol, hostname, port } = url;
  const isSecure = protocol === "wss:";
  url.hash = "";
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port) || (isSecure ? 443 : 80),
    text: url.href.replace(/\/$/, ""),
    tls: isSecure ? { pins: [], authorities: null } : null,
    // WebSocket ports speak only version 2.
    versions: "2",
  };
}
