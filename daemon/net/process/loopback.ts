/** Loopback addresses: only this machine can reach them. */
import { BlockList, isIP } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

/** Returns whether only this machine can reach an address; null for a host name, which would require a lookup. */
export function isLoopback(address: string): boolean | null {
  const family = isIP(address);
  if (family === 0) return address === "localhost" ? true : null;
  return loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}
