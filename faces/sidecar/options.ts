/** The options of a daemon that signs commands and forwards them to other daemons (-d dbsync). */
import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import { fail } from "../../daemon/net/process/service.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { hasKeys, hasTimeline, isSidecar, type Settings } from "../../daemon/options/settings.js";
import { path, plain } from "../../daemon/options/value-forms.js";

const POLICIES = ["first", "majority", "all", "all-equal"] as const;
/** The policy of the client library, or the number of daemons that must succeed. */
type Policy = (typeof POLICIES)[number] | number;

const CLUSTER_ID = /^[\da-f]{64}$/;

export const SIDECAR_OPTIONS = {
  /** The private key, or null if there is none. Only a daemon that signs for clients needs one. */
  key: row({
    flags: "--key <file>",
    help: "private key that signs commands (dbsync-keygen makes one)",
    form: path,
    fallback: null,
    reload: "restart",
    example: "private.pem",
    needs: ["database"],
    section: "Signing for other daemons:",
  }),
  /** The policy, or null for the default of the client library. */
  policy: row({
    flags: "--policy <policy>",
    help:
      "answers to wait for: first, majority, all, all-equal, or a number of daemons (default: first, but majority for commands " +
      "with conditions, such as WATCH and cas)",
    form: plain<Policy>(parsePolicy),
    fallback: null,
    reload: "restart",
    example: "majority",
    needs: ["key"],
    section: "Signing for other daemons:",
    after: "key",
  }),
  /** The id of the cluster for which commands are signed, hexadecimal, or null to ask the daemons. */
  cluster: row({
    flags: "--cluster <id>",
    help: "id of the cluster for which commands are signed, as its daemons log it at the start",
    form: plain(parseCluster),
    fallback: null,
    reload: "restart",
    example: "994dab7c0f2b0a4d4c6b8c8d1a3f5e7992b4d6f8a1c3e5079b2d4f6a8c0e1b3d",
    needs: ["key"],
    section: "Signing for other daemons:",
    after: "policy",
  }),
  /** The file of authorities, or null to trust those that Node.js trusts. */
  ca: row({
    flags: "--ca <file>",
    help: "authorities that may sign the certificates of daemons with TLS (dbsyncs://)",
    form: path,
    fallback: null,
    reload: "restart",
    example: "ca.pem",
    needs: ["key"],
    section: "Signing for other daemons:",
    after: "cluster",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof SIDECAR_OPTIONS> {}
}

function parsePolicy(value: string): Policy {
  const policy = POLICIES.find((one) => one === value);
  if (policy !== undefined) return policy;
  if (/^[1-9]\d?$/.test(value)) return Number(value);
  throw new RangeError(`Expected ${POLICIES.join(", ")}, or a number of daemons.`);
}

function parseCluster(value: string): string {
  const id = value.toLowerCase();
  if (CLUSTER_ID.test(id)) return id;
  throw new RangeError("Expected 64 hexadecimal digits, as a daemon logs them at its start.");
}

/** Checks the options of -d dbsync, which signs for clients. @throws StartError  the message says what to do */
export function checkSidecarOptions(settings: Settings): void {
  if (!isSidecar(settings)) {
    const names = Object.keys(SIDECAR_OPTIONS) as (keyof typeof SIDECAR_OPTIONS)[];
    const sidecarOption = names.find((name) => settings[name] !== SIDECAR_OPTIONS[name].fallback);
    if (sidecarOption !== undefined)
      fail(`--${sidecarOption} is for a daemon that signs for clients: add -d dbsync:host:port,host:port.`);
    return;
  }

  if (settings.key === null)
    fail(
      "-d dbsync signs the commands that it forwards, and no key is set: add --key private.pem (dbsync-keygen --out . makes a " +
        "key pair, whose public key the daemons must know: -s public.pem, or dbsync keys add).",
    );

  if (hasKeys(settings))
    fail(
      "-d dbsync accepts unsigned commands and signs them. Clients send signed commands to the daemons directly: leave " +
        "out -s and --root-key, or -d.",
    );

  if (hasTimeline(settings))
    fail("-d dbsync stores no data itself: leave out --data, --peer and --order, or -d.");
  refuseOwnAddress(settings);
}

/** The port of a server that names none. */
const SERVER_PORT = "1111";

/**
 * The host and the port, if there is one, of a server in -d dbsync, in all forms that the client accepts. An IPv6
 * address without brackets has no port.
 */
const SERVER = /^(?:dbsyncs?[12]?:\/\/)?(?:(\[[^\]]+\]|[^:#[]+)(?::(\d+))?|([\da-f:.]+))(?:#.*)?$/;

/** Refuses a list of servers of -d dbsync that contains this daemon, which would forward commands to itself. */
function refuseOwnAddress({ database, bind, port }: Settings): void {
  const isOwn = (host: string) =>
    host === bind ||
    (isLoopback(host) === true && (isLoopback(bind) === true || ["0.0.0.0", "::"].includes(bind)));
  for (const specification of database) {
    const servers = specification.kind === "dbsync" ? specification.servers.split(",") : [];
    const own = servers.find((server) => {
      const [, host, given = SERVER_PORT, plainHost = ""] = SERVER.exec(server.toLowerCase()) ?? [];
      return Number(given) === port && isOwn((host ?? plainHost).replace(/^\[|\]$/g, ""));
    });
    if (own !== undefined)
      fail(
        `-d dbsync: ${own} is this daemon's own address. Leave it out, or choose another port for this daemon (-p).`,
      );
  }
}
