/** Parses the URLs of servers that speak other protocols: SQL, JSON lines, Redis. */
import { DbsyncError } from "./errors.js";
import { type Endpoint, parsePins } from "./server-list.js";

export interface ServerAddress extends Endpoint {
  /** The credentials, or null if there are none. */
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** The form of a protocol's URLs: the scheme without TLS (with TLS an s is appended), and the default port. */
export interface UrlForm {
  readonly scheme: string;
  readonly port: number;
}

/**
 * Parses `scheme://[user:password@]host[:port]` and `schemes://…#sha256:…`.
 * @throws RangeError  states the expected form
 */
export function parseServerUrl(text: string, { scheme, port }: UrlForm): ServerAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isKnown = url?.protocol === `${scheme}:` || url?.protocol === `${scheme}s:`;
  if (!isKnown || url.hostname === "" || !["", "/"].includes(url.pathname) || url.search !== "") {
    throw new RangeError(
      `The form is ${scheme}://host or ${scheme}://host:port (default port ${port}), optionally with user:password@ before the host; with TLS ${scheme}s://…`,
    );
  }

  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? port : Number(url.port),
    tls: tlsOf(url.protocol === `${scheme}s:`, text),
    login: loginOf(url),
  };
}

/** Reads the required proof of the server's identity. @throws RangeError */
function tlsOf(isEncrypted: boolean, text: string): Endpoint["tls"] {
  const [before = "", ...pins] = text.split("#");
  if (!isEncrypted) {
    if (pins.length === 0) return null;
    const [scheme = ""] = text.split(":");
    throw new RangeError(`A fingerprint requires TLS: ${scheme}s://…`);
  }
  try {
    return parsePins(text.slice(before.length), text, "the address");
  } catch (problem) {
    throw new RangeError(problem instanceof DbsyncError ? `${problem.message}.` : String(problem));
  }
}

/**
 * Returns the credentials. A password without a user name is that of the user `default`, as with AUTH.
 * @throws RangeError
 */
function loginOf({ username, password }: URL): ServerAddress["login"] {
  if (username === "" && password === "") return null;
  try {
    return { user: decodeURIComponent(username) || "default", password: decodeURIComponent(password) };
  } catch {
    throw new RangeError("Write a % in the user name or password as %25.");
  }
}
