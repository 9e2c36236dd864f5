/**
 * Rules for listening on an address that other machines can reach: signatures or --allow-unsigned, and TLS with
 * --require-tls.
 */
import { lookup } from "node:dns/promises";
import { isLoopback } from "../net/process/host-and-port.js";
import { StartError } from "../net/process/service.js";
import { isSigned, type Settings, tlsFilesOf } from "./settings.js";

/**
 * Resolves the address of -b once, and checks the rules for addresses that other machines can reach.
 * @throws StartError  the name is unknown, or the address violates a rule
 */
export async function bindAddressOf(settings: Settings): Promise<string> {
  const { bind } = settings;
  const { address } = await lookup(bind).catch((problem: NodeJS.ErrnoException) => {
    throw new StartError(`${bind} is not a known host name (${problem.code}). Correct -b.`, 1);
  });
  if (isLoopback(address) !== true) refuseOpen(address === bind ? bind : `${bind} (${address})`, settings);
  return address;
}

/** Checks the rules for an address that other machines can reach. @throws StartError  the message says what to do */
export function refuseOpen(address: string, settings: Settings): void {
  if (!isSigned(settings) && !settings.allowUnsigned)
    throw new StartError(
      `${address} can be reached from other machines, and without a key any client there could send commands. ` +
        "Accept only signed commands (-s public.pem, made by dbsync-keygen), or permit this with --allow-unsigned.",
      2,
    );

  if (settings.requireTls && tlsFilesOf(settings) === null)
    throw new StartError(
      `${address} can be reached from other machines, and --require-tls requires TLS there. ` +
        "Set --tls-cert and --tls-key (dbsync-keygen --certificate makes them), or listen on 127.0.0.1.",
      2,
    );
}
