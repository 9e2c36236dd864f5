/** The options of TLS, and which combinations of them make sense. */
import { InvalidArgumentError, Option } from "commander";
import { StartError } from "../process/start-error.js";
import type { Settings } from "./settings.js";

const GROUP = "TLS:";

/** What commander leaves. */
export interface RawTlsOptions {
  tlsCert?: string;
  tlsKey?: string;
  requireTls: boolean;
}

export function tlsOptions(): Option[] {
  return [
    new Option("--tls-cert <file>", "certificate; with it TLS only is spoken (dbsync-keygen makes one)")
      .argParser(parseFile)
      .env("DBSYNCD_TLS_CERT")
      .helpGroup(GROUP),
    new Option("--tls-key <file>", "the certificate's private key")
      .argParser(parseFile)
      .env("DBSYNCD_TLS_KEY")
      .helpGroup(GROUP),
    new Option("--require-tls", "without a certificate, listen on this machine only")
      .default(false)
      .env("DBSYNCD_REQUIRE_TLS")
      .helpGroup(GROUP),
  ];
}

/** @throws StartError  for one file without the other */
export function tlsFilesOf({ tlsCert, tlsKey }: RawTlsOptions): Settings["tls"] {
  if (tlsCert === undefined && tlsKey === undefined) return null;
  if (tlsCert === undefined || tlsKey === undefined) {
    const missing = tlsCert === undefined ? "--tls-cert" : "--tls-key";
    throw new StartError(`TLS takes a certificate and its key: ${missing} is missing.`, 2);
  }
  return { certificate: tlsCert, key: tlsKey };
}

/** For an address that others can reach. @throws StartError  with both cures */
export function refuseWithoutTls(
  address: string,
  { tls, requireTls }: Pick<Settings, "tls" | "requireTls">,
): void {
  if (tls !== null || !requireTls) return;
  throw new StartError(
    `${address} can be reached from other machines, and --require-tls wants TLS there. ` +
      "Give --tls-cert and --tls-key (dbsync-keygen --certificate makes them), or listen on 127.0.0.1.",
    2,
  );
}

function parseFile(text: string): string {
  if (text === "") throw new InvalidArgumentError("Expected a path.");
  return text;
}
