/** The options of --json, and its limit. */
import { formatHost, type HostAndPort } from "../../daemon/net/process/host-and-port.js";
import { fail } from "../../daemon/net/process/service.js";
import { type LimitsOf, row, type ValuesOf } from "../../daemon/options/option-row.js";
import { parsePeer } from "../../daemon/options/peer-address.js";
import { hasTimeline, isSidecar, type Settings } from "../../daemon/options/settings.js";
import { HOUR, type LimitRow, listenAddressOr, listForm, SECOND } from "../../daemon/options/value-forms.js";

/** The port of the original JSON server. */
const JSON_PORT = "8888";

export const JSON_OPTIONS = {
  /** The address for clients of JSON lines, or null if there is none. */
  json: row({
    clients: "JSON",
    flags: "--json [address]",
    help: `serve JSON lines on a port of 127.0.0.1 (default: ${JSON_PORT}), or on address:port`,
    form: listenAddressOr(JSON_PORT),
    fallback: null,
    reload: "restart",
    example: "8889",
    after: "resp",
  }),
  /** The original servers to which writes of JSON clients are sent. */
  jsonReplicas: row({
    flags: "--json-replica <host:port>",
    help: "a server of the original JSON database, to which writes of JSON clients are also sent (repeatable)",
    form: listForm<HostAndPort>({ parse: parseReplica, format: formatHost, check: checkReplicas }),
    fallback: [],
    reload: "restart",
    example: "old1:8888",
    needs: ["json"],
    after: "sqlLanguage",
  }),
} as const;

export const JSON_LIMITS = {
  jsonReplicaTimeout: {
    flag: "json-replica-timeout",
    unit: "time",
    fallback: 3 * SECOND,
    min: 1,
    max: HOUR,
    summary: "time that a write waits for a server of --json-replica that does not answer",
    reason: "the original waits a minute for each write; writes that a server missed are sent later",
    after: "maxQueryBytes",
  },
} as const satisfies Record<string, LimitRow>;

declare module "../../daemon/options/option-row.js" {
  interface FaceLimits extends LimitsOf<typeof JSON_LIMITS> {}
  interface FaceSettings extends ValuesOf<typeof JSON_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof JSON_OPTIONS>, "json"> {}
}

/** Parses an address. @throws RangeError  the message says what is expected */
function parseReplica(text: string): HostAndPort {
  if (/^dbsyncs:|#/.test(text))
    throw new RangeError("Expected host:port; the original server has no encryption.");
  try {
    const { host, port } = parsePeer(text);
    return { host, port };
  } catch {
    throw new RangeError(`Expected host:port, such as db1:${JSON_PORT}.`);
  }
}

function checkReplicas(replicas: readonly HostAndPort[]): void {
  const addresses = replicas.map(({ host, port }) => `${host} ${port}`);
  if (new Set(addresses).size < addresses.length) throw new RangeError("A server is listed twice.");
}

/** Checks the options of JSON replicas. @throws StartError  the message says what to do */
export function checkJsonOptions(settings: Settings): void {
  if (settings.jsonReplicas.length === 0) return;
  if (isSidecar(settings))
    fail("--json-replica works only with the database in memory: leave it out, or -d dbsync.");
  if (settings.json === null) fail("--json-replica forwards the writes of JSON clients: add --json.");
  if (hasTimeline(settings))
    fail(
      "--json-replica cannot be combined with --data or --peer: the original renumbers all entries at each deletion, and a daemon with a timeline does " +
        "not. Leave it out: --peer replicates between dbsyncd daemons, and dbsync import json: copies the documents of an original server.",
    );
}
