/** The value of --order: the address and the name of the stream that orders the writes. */

export interface OrderAddress {
  /** The address of --order, without the password. */
  readonly name: string;
  /** The servers of one NATS cluster as `host:port`; at least one. */
  readonly servers: readonly string[];
  readonly isTls: boolean;
  readonly user: string | null;
  readonly password: string | null;
  readonly stream: string;
  /** Number of servers that store the stream if the daemon creates it. */
  readonly replicas: number;
}

const FORM =
  "nats://host:4222/stream, tls://…, several hosts separated by commas, optionally followed by ?replicas=3";
const DEFAULT_PORT = 4222;
const PORT_MAX = 65535;
const PARTS =
  /^(nats|tls):\/\/(?:([^:@/]+)(?::([^@/]*))?@)?([^@/?#]+)\/([A-Za-z0-9_-]{1,64})(?:\?replicas=([135]))?$/;
const SERVER = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;

/** Parses the value. @throws RangeError  the message contains no password */
export function parseOrder(text: string): OrderAddress {
  const parts = PARTS.exec(text);
  if (parts === null)
    throw new RangeError(
      `"${text.replace(/\/\/.*@/, "//***@")}" names no stream. Expected ${FORM}; a stream's name consists of letters, digits, _ and -.`,
    );

  const [, scheme, user = null, password = null, hosts, stream, replicas = "1"] = parts;
  const servers = (hosts as string).split(",").map(parseServer);
  const login = user === null ? "" : `${user}@`;
  const options = replicas === "1" ? "" : `?replicas=${replicas}`;

  return {
    name: `${scheme}://${login}${servers.join(",")}/${stream}${options}`,
    servers,
    isTls: scheme === "tls",
    stream: stream as string,
    replicas: Number(replicas),
    user: user === null ? null : decoded(user),
    password: password === null ? null : decoded(password),
  };
}

function parseServer(text: string): string {
  const [, host, port = String(DEFAULT_PORT)] = SERVER.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > PORT_MAX)
    throw new RangeError(`"${text}" is not host:port. Expected ${FORM}.`);
  return `${host}:${Number(port)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError(
      "In a user name or a password, each % must be followed by two hexadecimal digits (write % itself as %25).",
    );
  }
}
