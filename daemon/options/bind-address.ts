/** The address that -b names, looked up once, and held to the rules for addresses that others can reach. */
import { lookup } from "node:dns/promises";
import { StartError } from "../process/start-error.js";
import { isLoopback } from "./loopback.js";
import { refuseUnsigned } from "./options.js";
import type { Settings } from "./settings.js";
import { refuseWithoutTls } from "./tls-options.js";

/** @throws StartError  an unknown name, or an address that others can reach without what that takes */
export async function bindAddressOf(settings: Settings): Promise<string> {
  const { bind } = settings;
  const { address } = await lookup(bind).catch((problem: NodeJS.ErrnoException) => {
    throw new StartError(`${bind} is not a known host name (${problem.code}). Correct -b.`, 1);
  });
  if (isLoopback(address) !== true) {
    const shown = address === bind ? bind : `${bind} (${address})`;
    refuseUnsigned(shown, settings);
    refuseWithoutTls(shown, settings);
  }
  return address;
}
