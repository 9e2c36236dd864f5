/** Where a server is that is spoken to in lines of text, of JSON or SQL: a URL, with who logs in, and with TLS whom to believe. */
import { InvalidArgumentError } from "commander";
import { readDefaults, realPlaces } from "../../client/settings/defaults.js";
import { authoritiesFor } from "../../client/settings/options.js";
import type { Place } from "../../client/shared/environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { parsePins, withAuthorities } from "../../client/shared/servers.js";
import { readAuthorities } from "../../client/shared/tls.js";

export interface ServerAddress extends Place {
  /** null: nobody logs in. */
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** What its URLs look like: the scheme without TLS (with TLS an s stands behind it), and the port unless one is named. */
export interface UrlForm {
  readonly scheme: string;
  readonly port: number;
}

/** `scheme://[user:password@]host[:port]`, `schemes://…#sha256:…`. @throws InvalidArgumentError */
export function readServerUrl(text: string, { scheme, port }: UrlForm): ServerAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isKnown = url?.protocol === `${scheme}:` || url?.protocol === `${scheme}s:`;
  if (!isKnown || url.hostname === "" || !["", "/"].includes(url.pathname) || url.search !== "") {
    throw new InvalidArgumentError(
      `It is ${scheme}://host or ${scheme}://host:port (${port} unless said otherwise), with user:password@ before the host if need be; with TLS ${scheme}s://…`,
    );
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? port : Number(url.port),
    tls: tlsOf(url.protocol === `${scheme}s:`, text),
    login: loginOf(url),
  };
}

/** @throws InvalidArgumentError */
function tlsOf(isEncrypted: boolean, text: string): Place["tls"] {
  const [before = "", ...pins] = text.split("#");
  if (!isEncrypted) {
    if (pins.length === 0) return null;
    const [scheme = ""] = text.split(":");
    throw new InvalidArgumentError(`A fingerprint stands with TLS only: ${scheme}s://…`);
  }
  try {
    return parsePins(text.slice(before.length), text, "the address");
  } catch (problem) {
    throw new InvalidArgumentError(problem instanceof DbsyncError ? `${problem.message}.` : String(problem));
  }
}

/** A password alone is the user default's, as with auth. @throws InvalidArgumentError */
function loginOf({ username, password }: URL): ServerAddress["login"] {
  if (username === "" && password === "") return null;
  try {
    return { user: decodeURIComponent(username) || "default", password: decodeURIComponent(password) };
  } catch {
    throw new InvalidArgumentError("In user and password a % is written as %25.");
  }
}

/**
 * The same server, trusting those who may sign its certificate.
 * @param ca  a file's path; undefined: what the configuration says, as for the daemons
 * @throws DbsyncError `bad-option`, `bad-config`
 */
export function trusted(address: ServerAddress, ca: string | undefined): ServerAddress {
  const authorities = authoritiesFor([address], ca, () => readDefaults(realPlaces()));
  if (authorities === null) return address;
  return withAuthorities([address], readAuthorities(authorities.ca, authorities.from))[0]!;
}
