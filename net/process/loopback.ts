/** Which addresses only this machine can reach. */
import { BlockList, isIP } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

/** `null`: a host name, of which only looking it up can tell. */
export function isLoopback(address: string): boolean | null {
  const family = isIP(address);
  if (family === 0) return address === "localhost" ? true : null;
  return loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}
