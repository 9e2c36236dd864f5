/** Parses and formats addresses: those to listen on, `port` or `address:port`, and those to connect to, `host:port`. */
import { BlockList, isIP } from "node:net";

const PORT_MAX = 65535;
const DEFAULT_ADDRESS = "127.0.0.1";

export interface ListenAddress {
  /** An address, not a name; without brackets. */
  readonly address: string;
  /** The port, or 0 for any free one. */
  readonly port: number;
}

/** The address of a server of the replicated memory database (--json-replica). */
export interface HostAndPort {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Parses an address to listen on. @throws RangeError  states the expected form */
export function parseHostAndPort(text: string): ListenAddress {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text.trim());
  const address = match?.[1] ?? match?.[2] ?? DEFAULT_ADDRESS;
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || port > PORT_MAX || isIP(address) !== (match[1] === undefined ? 4 : 6)) {
    throw new RangeError(
      `Expected a port from 0 to ${PORT_MAX}, optionally after an IP address: 10.0.0.1:9464, [::1]:9464.`,
    );
  }
  return { address, port };
}

/** Formats an address in the form that `parseHostAndPort` accepts. */
export function formatHostAndPort({ address, port }: ListenAddress): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Returns `host:port` for a name or an address. */
export const formatHost = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

/** Returns whether only this machine can reach an address; null for a host name, which would require a lookup. */
export function isLoopback(address: string): boolean | null {
  const family = isIP(address);
  if (family === 0) return address === "localhost" ? true : null;
  return loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}
