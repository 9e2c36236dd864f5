/**
 * The allowed values of each option, as text for errors. The bundle for web pages leaves them out (client/README.md).
 */
import { didYouMean } from "../../protocol/nearest-name.js";
import { HASH_BYTES, UNIT_ID_BYTES, UNIT_ORDER_KEY_BYTES } from "../../protocol/version-2/envelope.js";
import { VERSIONS_ALLOWED } from "../shared/server-list.js";
import { DAEMONS_MAX, IF_KEYS_MAX, POLICIES, STABLE_TIMEOUT_MS, TIMEOUT_MS_MAX } from "./call-limits.js";

const EITHER = "true or false";

export const ALLOWED_VALUES = {
  timeout: `1 to ${TIMEOUT_MS_MAX} milliseconds, with stable 1 to ${STABLE_TIMEOUT_MS}`,
  policy: `${POLICIES.join(", ")}, or a number of daemons`,
  buffers: EITHER,
  db: "the number of a database",
  if: `a list of 1 to ${IF_KEYS_MAX} conditions, [{ key, writer }], where writer is the reply of WRITERS, or null for an absent key`,
  after: `${2 * UNIT_ORDER_KEY_BYTES} hexadecimal digits, from lastWrite`,
  only: `${2 * HASH_BYTES} hexadecimal digits, as the daemon prints them`,
  stable: EITHER,
  replicated: `a number of daemons, 1 to ${DAEMONS_MAX}`,
  traceparent: "a traceparent of W3C Trace Context, 55 characters",
  signal: "an AbortSignal",
  servers: "",
  key: "a file's path, PEM text, a KeyObject, or false for unsigned",
  ca: "a file's path, or PEM text",
  passphrase: "a string or Buffer",
  keepalive: EITHER,
  cluster: "64 hexadecimal digits, as a daemon prints them at its start",
  versions: VERSIONS_ALLOWED,
  format: "text or php-dbsync",
  debug: EITHER,
  options: "an object or a server list",
  callOptions: 'an object; a command is one line, "SET k 1", or one list, ["SET", "k", 1]',
  writer:
    `a writer as call("WRITERS key") returns it, ${2 * UNIT_ID_BYTES} hexadecimal digits or, with buffers: true, a Buffer of ` +
    `${UNIT_ID_BYTES} bytes; multi() returns writers with buffers: true only`,
  withStable: "no value together with stable, which is the stronger condition",
} as const;

/** Returns the message about an option that does not exist. */
export function unknownOption(name: string, names: readonly string[]): string {
  const suggestion = didYouMean(name, names);
  return `is not an option: ${suggestion}${suggestion === "" ? "the" : "The"} options are ${names.join(", ")}`;
}

export const atMostServers = (count: number): string => `at most the number of servers, ${count}`;
