/** Parses the address of a server in options and configuration files. */
import { InvalidArgumentError } from "commander";
import { parseServerUrl, type ServerAddress } from "../../../client/shared/server-url.js";
import type { UpstreamAddress } from "./server-address.js";

const PLAIN = "sql://";

/**
 * Parses an address.
 * @param text  `[sql://]host[:port]` or `sqls://host[:port]#sha256:…`
 * @throws InvalidArgumentError
 */
export function parseUpstreamAddress(text: string, port: number): UpstreamAddress {
  const url = text.includes("://") ? text : PLAIN + text;
  const { host, port: its, tls, login } = addressOf(url, port);
  if (/^\d+$/.test(host))
    throw new InvalidArgumentError(
      `"${host}" is a port without a host. If the server is on this machine, use 127.0.0.1:${host}.`,
    );
  // The address appears in logs and errors, so it must not contain a password. Clients log in themselves.
  if (login !== null)
    throw new InvalidArgumentError(
      "The address must not contain a user and a password: clients log in themselves.",
    );
  return { host, port: its, tls, text: text.startsWith(PLAIN) ? text.slice(PLAIN.length) : text };
}

/** Parses a URL. @throws InvalidArgumentError */
function addressOf(url: string, port: number): ServerAddress {
  try {
    return parseServerUrl(url, { scheme: "sql", port });
  } catch (problem) {
    throw problem instanceof RangeError ? new InvalidArgumentError(problem.message) : problem;
  }
}
