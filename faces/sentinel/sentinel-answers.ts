/**
 * The answers about the named daemon, the other daemons and their sentinels. Fields and their order: redis-server 7.0,
 * sentinel.c.
 */
import type { NamedDaemon, ServingDaemon } from "../../daemon/cluster/peers/shared/named-daemon.js";
import { formatHost } from "../../daemon/net/process/host-and-port.js";
import { custom } from "../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, map, NIL_ARRAY, type Reply, status } from "../../protocol/reply.js";
import { REDIS_VERSION } from "../../protocol/resp/redis-version.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { DaemonInterface, UserSocketHost } from "../users/user-listener.js";

/** The length of the ids of Redis servers, in hexadecimal digits. */
const RUN_ID_DIGITS = 40;
const SECONDS_PER_DAY = 86_400;

type Fields = Readonly<Record<string, string | number>>;

/** The listener, as its answers describe it. */
export interface SentinelState {
  readonly host: UserSocketHost;
  readonly daemon: DaemonInterface;
  readonly named: NamedDaemon;
  /** The name of the master in lists. */
  readonly listedName: ByteString;
  /** The start, as `uptime` milliseconds. */
  readonly startedAt: number;
  /** The numbers of connections and of commands since the start. */
  readonly accepted: number;
  readonly commands: number;
}

export class SentinelAnswers {
  readonly #server: SentinelState;

  constructor(server: SentinelState) {
    this.#server = server;
  }

  /** Returns the id of this sentinel. */
  get id(): ByteString {
    return runId(this.#server.named.id);
  }

  /** `SENTINEL GET-MASTER-ADDR-BY-NAME`. @param host  this machine's address as the client has reached it */
  address(host: string): Reply {
    const current = this.#current;
    if (current === null) return NIL_ARRAY;
    const { address } = current;
    return array([bulk(address.host || host), bulk(String(address.port))]);
  }

  /** `SENTINEL MASTERS` */
  masters(host: string): Reply {
    const current = this.#current;
    return array(current === null ? [] : [fieldsReply(this.#master(this.#server.listedName, current, host))]);
  }

  /** `SENTINEL MASTER name`. @throws CommandFailure */
  master(name: ByteString, host: string): Reply {
    const current = this.#current;
    if (current === null) throw noMaster();
    return fieldsReply(this.#master(name, current, host));
  }

  /** `SENTINEL REPLICAS name`: the other daemons that accept writes. */
  replicas(host: string): Reply {
    const current = this.#current;
    const { others } = this.#named;
    return array(
      others.map((daemon) =>
        fieldsReply({
          ...this.#common(nameOf(daemon, host), daemon, host, "slave"),
          "info-refresh": daemon.age,
          "role-reported": "slave",
          "role-reported-time": daemon.age,
          "master-link-down-time": 0,
          "master-link-status": "ok",
          "master-host": current === null ? "?" : current.address.host || host,
          "master-port": current?.address.port ?? 0,
          "slave-priority": 100,
          "slave-repl-offset": 0,
          "replica-announced": 1,
        }),
      ),
    );
  }

  /** `SENTINEL SENTINELS name`: the sentinels of the other connected daemons. */
  sentinels(host: string): Reply {
    return array(
      this.#named.sentinels.map((daemon) =>
        fieldsReply({
          ...this.#common(runId(daemon.id), daemon, host, "sentinel"),
          "last-hello-message": daemon.age,
          "voted-leader": "?",
          "voted-leader-epoch": 0,
        }),
      ),
    );
  }

  /** `SENTINEL CKQUORUM name`. @throws CommandFailure */
  quorum(): Reply {
    const count = this.#named.sentinels.length + 1;
    if (this.#current === null)
      throw custom(`NOQUORUM ${count} usable Sentinels. No connected daemon accepts writes`);
    return status(`OK ${count} usable Sentinels. Quorum and failover authorization can be reached`);
  }

  /** `INFO [section …]`. @param host  this machine's address as the client has reached it */
  info(sections: readonly ByteString[], host: string): Reply {
    const wanted = new Set(sections.map((word) => word.toLowerCase()));
    const isAll = wanted.size === 0 || ["all", "default", "everything"].some((word) => wanted.has(word));
    const all: Readonly<Record<string, Fields>> = {
      Server: this.#serverFields(),
      Clients: {
        connected_clients: this.#server.host.size,
        maxclients: this.#server.host.limits.maxConnections,
      },
      Stats: {
        total_connections_received: this.#server.accepted,
        total_commands_processed: this.#server.commands,
        rejected_connections: this.#server.host.rejected,
      },
      Sentinel: this.#sentinelFields(host),
    };
    const texts = Object.entries(all)
      .filter(([title]) => isAll || wanted.has(title.toLowerCase()))
      .map(([title, fields]) => `# ${title}\r\n${linesOf(fields)}`);
    return bulk(texts.join("\r\n"));
  }

  get #named() {
    return this.#server.named;
  }

  get #current(): ServingDaemon | null {
    this.#named.update();
    return this.#named.current;
  }

  #master(name: ByteString, daemon: ServingDaemon, host: string): Fields {
    const { epoch, others, sentinels, namedFor } = this.#named;
    const { downAfter } = this;
    return {
      ...this.#common(name, daemon, host, "master"),
      "info-refresh": daemon.age,
      "role-reported": "master",
      "role-reported-time": namedFor,
      "config-epoch": epoch,
      "num-slaves": others.length,
      "num-other-sentinels": sentinels.length,
      quorum: 1,
      "failover-timeout": downAfter,
      "parallel-syncs": 1,
    };
  }

  /** The milliseconds without a sign of life after which a daemon counts as down. */
  get downAfter(): number {
    return this.#named.downAfterMs;
  }

  #common(name: ByteString, { id, address, age }: ServingDaemon, host: string, flags: string): Fields {
    return {
      name,
      ip: address.host || host,
      port: address.port,
      runid: runId(id),
      flags,
      "link-pending-commands": 0,
      "link-refcount": 1,
      "last-ping-sent": 0,
      "last-ok-ping-reply": age,
      "last-ping-reply": age,
      "down-after-milliseconds": this.downAfter,
    };
  }

  #serverFields(): Fields {
    const { host, startedAt, daemon } = this.#server;
    const seconds = Math.floor((host.environment.uptime() - startedAt) / 1000);
    return {
      redis_version: REDIS_VERSION,
      redis_mode: "sentinel",
      process_id: process.pid,
      run_id: this.id,
      tcp_port: daemon.port,
      uptime_in_seconds: seconds,
      uptime_in_days: Math.floor(seconds / SECONDS_PER_DAY),
    };
  }

  #sentinelFields(host: string): Fields {
    const current = this.#current;
    const { others, sentinels } = this.#named;
    const common = {
      sentinel_masters: current === null ? 0 : 1,
      sentinel_tilt: 0,
      sentinel_tilt_since_seconds: -1,
      sentinel_running_scripts: 0,
      sentinel_scripts_queue_length: 0,
      sentinel_simulate_failure_flags: 0,
    };
    if (current === null) return common;

    const address = nameOf(current, host);
    const counts = `slaves=${others.length},sentinels=${sentinels.length + 1}`;
    return { ...common, master0: `name=${this.#server.listedName},status=ok,address=${address},${counts}` };
  }
}

/** The error for a name that the sentinel does not know, or if no daemon accepts writes. */
export const noMaster = () => custom("ERR No such master with that name");

const nameOf = ({ address: { host, port } }: ServingDaemon, own: string) =>
  formatHost({ host: host || own, port });

const runId = (id: ByteString): ByteString => hexOf(id).slice(0, RUN_ID_DIGITS);

const fieldsReply = (fields: Fields): Reply =>
  map(Object.entries(fields).flatMap(([name, value]) => [bulk(name), bulk(String(roundedOf(value)))]));

const roundedOf = (value: string | number) => (typeof value === "number" ? Math.round(value) : value);

const linesOf = (fields: Fields) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join("");
