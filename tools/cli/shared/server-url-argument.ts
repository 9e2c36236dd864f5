/** The servers that arguments of subcommands name by URLs: parses them, and loads the authorities for TLS. */
import { InvalidArgumentError } from "commander";
import { authoritiesFor } from "../../../client/settings/client-settings.js";
import { defaultSources, readDefaults } from "../../../client/settings/default-options.js";
import { withAuthorities } from "../../../client/shared/server-list.js";
import { parseServerUrl, type ServerAddress, type UrlForm } from "../../../client/shared/server-url.js";
import { readAuthorities } from "../../../client/shared/tls-connection.js";

/** Parses a URL. @throws InvalidArgumentError */
export function readServerUrl(text: string, form: UrlForm): ServerAddress {
  try {
    return parseServerUrl(text, form);
  } catch (problem) {
    throw problem instanceof RangeError ? new InvalidArgumentError(problem.message) : problem;
  }
}

/**
 * Returns the server with the authorities that may sign its certificate.
 * @param ca  the path of a file with authorities, or undefined for the configured file
 * @throws DbsyncError `bad-option`, `bad-config`
 */
export function withAuthorityFile(address: ServerAddress, ca: string | undefined): ServerAddress {
  const authorities = authoritiesFor([address], ca, () => readDefaults(defaultSources()));
  if (authorities === null) return address;
  return withAuthorities([address], readAuthorities(authorities.ca, authorities.from))[0]!;
}
