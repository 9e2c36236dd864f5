/** Parses the list of daemons that a page connects to: the addresses of their `--ws` ports. */
import { badOption } from "../shared/errors.js";
import type { Address } from "../shared/server-list.js";

const SERVERS_MAX = 64;
const FORMS = "addresses of daemons with --ws, such as wss://db1.example:1180, as text or as a list";

/** Parses the option `servers`. @throws DbsyncError `bad-option` */
export function readServers(servers: unknown): readonly Address[] {
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
