/** The options that `dbsyncd --help` shows: where, whose commands, to which databases. */
import { type BackendSpecification, parseSpecifications } from "./database-list.js";
import { choice, paths, plain, text, toggle } from "./forms.js";
import { row } from "./option-row.js";

/** php-dbsync's. */
export const COMPAT_DATABASE = "redis:127.0.0.1:6379";
const MEMORY: readonly BackendSpecification[] = parseSpecifications("memory");
const PORT_MAX = 65535;

export const COMMON = {
  /** An address or a host name, without brackets. */
  bind: row({
    flags: "-b, --bind <address>",
    help: "address or host name to listen on",
    form: plain(parseBind),
    fallback: "127.0.0.1",
    reload: "restart",
    example: "localhost",
  }),
  /** 0: a free one. */
  port: row({
    flags: "-p, --port <port>",
    help: "port; 0: a free one",
    form: plain(parsePort),
    fallback: 1111,
    reload: "restart",
    example: "1112",
  }),
  /** Files and folders of application keys; none of these and of `rootKey`: unsigned commands. */
  signKey: row({
    flags: "-s, --sign-key <file>",
    help: "public key (repeatable), or folder of *.pem: signed commands only",
    form: paths,
    fallback: [],
    reload: "at once",
    example: "keys",
  }),
  database: row({
    flags: "-d, --database <list>",
    help: "memory, or redis:host:port, several with commas between; or redis-cluster:host:port,… or redis-sentinel:name@host:port,… or dbsync:host:port,… to sign for daemons",
    form: text<readonly BackendSpecification[]>(parseSpecifications, (all) =>
      all.map(({ name }) => name).join(","),
    ),
    fallback: MEMORY,
    reload: "restart",
    example: COMPAT_DATABASE,
  }),
  close: row({
    flags: "-c, --close",
    help: "close after each answer",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
  allowUnsigned: row({
    flags: "--allow-unsigned",
    help: "without -s, listen on addresses that other machines can reach",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
  compat: row({
    flags: "--compat <program>",
    help: `php-dbsync: -d ${COMPAT_DATABASE} --allow-unsigned`,
    form: choice(["php-dbsync"]),
    fallback: null,
    reload: "restart",
    example: "php-dbsync",
  }),
} as const;

function parseBind(given: string): string {
  const address = given.replace(/^\[(.*)\]$/, "$1");
  if (!/^[A-Za-z0-9._:%-]+$/.test(address))
    throw new RangeError("Expected an address such as 127.0.0.1 or ::1, or a host name.");
  return address;
}

function parsePort(given: string): number {
  if (!/^\d{1,5}$/.test(given) || Number(given) > PORT_MAX)
    throw new RangeError(`Expected a number from 0 to ${PORT_MAX}.`);
  return Number(given);
}
