/** The options that `dbsyncd --help` shows: the address, the keys and the databases. */
import { type BackendSpecification, parseSpecifications } from "./database-list.js";
import { row } from "./option-row.js";
import { choice, paths, plain, text, toggle } from "./value-forms.js";

/** The database that php-dbsync uses by default. */
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
  /** The port, or 0 for any free port. */
  port: row({
    flags: "-p, --port <port>",
    help: "port; 0: any free port",
    form: plain(parsePort),
    fallback: 1111,
    reload: "restart",
    example: "1112",
  }),
  /** Files and folders of application keys. Without these and without `rootKey`, commands are unsigned. */
  signKey: row({
    flags: "-s, --sign-key <file>",
    help: "public key (repeatable), or folder of *.pem; only signed commands are accepted",
    form: paths,
    fallback: [],
    reload: "immediately",
    example: "keys",
  }),
  database: row({
    flags: "-d, --database <list>",
    help: "where commands are executed: memory; redis:host:port, several separated by commas; redis-cluster:host:port,…; redis-sentinel:name@host:port,…; or dbsync:host:port,…: other daemons, for which this one signs",
    form: text<readonly BackendSpecification[]>(parseSpecifications, (all) =>
      all.map(({ name }) => name).join(","),
    ),
    fallback: MEMORY,
    reload: "restart",
    example: COMPAT_DATABASE,
  }),
  close: row({
    flags: "-c, --close",
    help: "close the connection after each answer",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
  allowUnsigned: row({
    flags: "--allow-unsigned",
    help: "without -s, execute the commands of any client of -p: also on addresses that other machines can reach, and if the users of --acl-file have to log in elsewhere",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
  }),
  compat: row({
    flags: "--compat <program>",
    help: `php-dbsync: the same as -d ${COMPAT_DATABASE} --allow-unsigned`,
    form: choice(["php-dbsync"]),
    fallback: null,
    reload: "restart",
    example: "php-dbsync",
  }),
} as const;

function parseBind(value: string): string {
  const address = value.replace(/^\[(.*)\]$/, "$1");
  if (!/^[A-Za-z0-9._:%-]+$/.test(address))
    throw new RangeError("Expected an address such as 127.0.0.1 or ::1, or a host name.");
  return address;
}

function parsePort(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > PORT_MAX)
    throw new RangeError(`Expected a number from 0 to ${PORT_MAX}.`);
  return Number(value);
}
