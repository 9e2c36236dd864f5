/** Conditions for listening on an address that other machines can reach: signatures or the operator's word, and TLS if requested. */
import { lookup } from "node:dns/promises";
import { isLoopback } from "../net/process/loopback.js";
import { StartError } from "../net/process/start-error.js";
import { isSigned, type Settings, tlsFilesOf } from "./settings.js";

/**
 * Resolves the address of -b once, and applies the rules for addresses that other machines can reach.
 * @throws StartError  an unknown name, or an address that other machines can reach without what that requires
 */
export async function bindAddressOf(settings: Settings): Promise<string> {
  const { bind } = settings;
  const { address } = await lookup(bind).catch((problem: NodeJS.ErrnoException) => {
    throw new StartError(`${bind} is not a known host name (${problem.code}). Correct -b.`, 1);
  });
  if (isLoopback(address) !== true) refuseOpen(address === bind ? bind : `${bind} (${address})`, settings);
  return address;
}

/** Refuses an address that other machines can reach. @throws StartError  with the remedies */
export function refuseOpen(address: string, settings: Settings): void {
  if (!isSigned(settings) && !settings.allowUnsigned)
    throw new StartError(
      `${address} can be reached from other machines, and without a key anybody there could send commands. ` +
        "Take signed commands only (-s public.pem, from dbsync-keygen), or permit this with --allow-unsigned.",
      2,
    );
  if (settings.requireTls && tlsFilesOf(settings) === null)
    throw new StartError(
      `${address} can be reached from other machines, and --require-tls requires TLS there. ` +
        "Give --tls-cert and --tls-key (dbsync-keygen --certificate makes them), or listen on 127.0.0.1.",
      2,
    );
}
