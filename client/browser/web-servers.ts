/** The list of daemons a page talks to: the addresses of their `--ws`. */
import { badOption } from "../shared/errors.js";
import type { Address } from "../shared/servers.js";

const SERVERS_MAX = 64;
const FORMS = "addresses of daemons with --ws, as wss://db1.example:1180, or a list of such";

/** @throws DbsyncError `bad-option` */
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
    // Version 1 is not spoken there.
    versions: "2",
  };
}
