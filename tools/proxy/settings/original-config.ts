/**
 * Reads the original's config.json. Members that the original ignores (listenHost, strategy, mode, partition, hash,
 * replication) are used; unknown members are accepted. Source: test/vectors/sql/GRAMMAR.md, "config.json".
 */
import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import { StartError } from "../../../daemon/net/process/service.js";
import { parseUpstreamAddress, type UpstreamAddress } from "../upstream/server-address.js";
import {
  type BalancerSettings,
  DEFAULT_PORT,
  DEFAULT_ROUTING,
  DEFAULT_SERVER_PORT,
  DEFAULT_SETTLE_TIME,
  MODES,
  ROLES,
  type RoutingSettings,
  type ServerSettings,
  STRATEGIES,
} from "./balancer-settings.js";

const PARTITIONS = ["DB_OBJECT", "DB"] as const;
/**
 * The names of the hashes in the file. The original knows only the first one, which means an even distribution here.
 * The second one places writes like the original.
 */
const HASHES = ["RENDEZVOUS", "RENDEZVOUS_FNV1A"] as const;
const REPLICATION_OFF = "NONE";
const DEFAULT_HOST = "127.0.0.1";

/** Reads the settings. @param text  the text of the file @param file  its path, for messages @throws StartError */
export function readOriginalConfig(text: string, file: string): BalancerSettings {
  const root = new Member(parsed(text, file), file, "");
  const balancer = root.member("loadBalancer");
  const replication = root.member("replication").member("type").text();
  return {
    listen: {
      address: addressOf(balancer.member("listenHost")),
      port: balancer.member("listenPort").port() ?? DEFAULT_PORT,
    },
    servers: serversOf(root.member("instances")),
    routing: routingOf(root.member("routing")),
    settleTime: DEFAULT_SETTLE_TIME,
    replicates: replication !== null && replication.toUpperCase() !== REPLICATION_OFF,
  };
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (problem) {
    throw new StartError(`${file} is not JSON: ${(problem as Error).message}.`, 2);
  }
}

function addressOf(host: Member): string {
  const text = host.text() ?? DEFAULT_HOST;
  if (text === "localhost") return DEFAULT_HOST;
  return isIP(text) === 0 ? host.wrong("an IP address, or localhost") : text;
}

function serversOf(instances: Member): readonly ServerSettings[] {
  const servers = instances.list().map((instance) => {
    const serverAddress = serverAddressOf(instance);
    const id = instance.member("id").text() ?? serverAddress.text;
    return { id, serverAddress, role: instance.member("role").word(ROLES) ?? "MASTER" };
  });
  if (servers.length === 0) instances.wrong("a list of servers, each with id, role, host and port");
  if (new Set(servers.map(({ id }) => id)).size < servers.length)
    instances.wrong("servers with different ids");
  if (!servers.some(({ role }) => role === "MASTER"))
    instances.wrong("at least one server with the role MASTER");
  return servers;
}

function serverAddressOf(instance: Member): UpstreamAddress {
  const port = instance.member("port").port() ?? DEFAULT_SERVER_PORT;
  const member = instance.member("host");
  const host = member.text() ?? DEFAULT_HOST;
  try {
    return parseUpstreamAddress(`${host.includes(":") ? `[${host}]` : host}:${port}`, port);
  } catch (problem) {
    if (problem instanceof InvalidArgumentError) member.wrong("a host");
    throw problem;
  }
}

function routingOf(routing: Member): RoutingSettings {
  const reads = routing.member("reads");
  const writes = routing.member("writes");
  const roles = reads.member("includeRoles");
  const readRoles = roles.list().map((role) => role.word(ROLES) ?? role.wrong(ROLES.join(" or ")));
  return {
    reads: reads.member("strategy").word(STRATEGIES) ?? DEFAULT_ROUTING.reads,
    readRoles: readRoles.length === 0 ? DEFAULT_ROUTING.readRoles : readRoles,
    writes: writes.member("mode").word(MODES) ?? DEFAULT_ROUTING.writes,
    partition: writes.member("partition").word(PARTITIONS) === "DB_OBJECT" ? "object" : "database",
    hash: writes.member("hash").word(HASHES) === "RENDEZVOUS_FNV1A" ? "original" : "even",
  };
}

/** A member of the file, which may be absent. */
class Member {
  readonly #value: unknown;
  readonly #file: string;
  readonly #path: string;

  constructor(value: unknown, file: string, path: string) {
    this.#value = value ?? null;
    this.#file = file;
    this.#path = path;
  }

  member(name: string): Member {
    const value = this.#value;
    if (value !== null && (typeof value !== "object" || Array.isArray(value))) this.wrong("an object");
    const path = this.#path === "" ? name : `${this.#path}.${name}`;
    return new Member((value as Readonly<Record<string, unknown>> | null)?.[name], this.#file, path);
  }

  /** Returns the items of a list; empty if the member is absent. */
  list(): readonly Member[] {
    const value: unknown = this.#value ?? [];
    if (!Array.isArray(value)) return this.wrong("a list");
    return value.map((item, index) => new Member(item, this.#file, `${this.#path}[${index}]`));
  }

  text(): string | null {
    const value = this.#value;
    return value === null || typeof value === "string" ? value : this.wrong("a text");
  }

  port(): number | null {
    const value = this.#value;
    if (value === null) return null;
    const isPort = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65535;
    return isPort ? value : this.wrong("a port");
  }

  /** Returns one of the given words, ignoring case; null if the member is absent. */
  word<const Word extends string>(words: readonly Word[]): Word | null {
    const text = this.text()?.toUpperCase();
    if (text === undefined) return null;
    return words.find((word) => word === text) ?? this.wrong(words.join(" or "));
  }

  /** Reports an invalid value. @throws StartError  always */
  wrong(expected: string): never {
    const shown = JSON.stringify(this.#value);
    throw new StartError(`${this.#file}: ${this.#path} must be ${expected}, not ${shown}.`, 2);
  }
}
