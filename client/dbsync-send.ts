/**
 * The two entry points: `dbsyncSend`, which caches a client for each set of options as the original driver caches its
 * connections, and `createClient` for callers that manage a client themselves. `dbsyncReset` clears the cache of
 * `dbsyncSend`.
 */
import { KeyObject } from "node:crypto";
import type { Client } from "./client.js";
import { type HostOptions, NodeHost } from "./node-host.js";
import { OutboxClient } from "./outbox-client.js";
import { ALLOWED_VALUES } from "./settings/allowed-values.js";
import type { CallOptions } from "./settings/call-options.js";
import { readOptions, type SendOptions, type Settings } from "./settings/client-settings.js";
import { type Defaults, defaultSources, readDefaults } from "./settings/default-options.js";
import { loadSigningKey, type Signing, type SigningKey } from "./settings/signing-key.js";
import { type Environment, realEnvironment } from "./shared/client-environment.js";
import type { Argument, CommandInput } from "./shared/command-input.js";
import { type CommandMethods, methodNames } from "./shared/commands.js";
import { badSecret, DbsyncError } from "./shared/errors.js";
import { frameTracer } from "./shared/frame-tracer.js";
import type { ReplyValue } from "./shared/reply-value.js";
import { withAuthorities } from "./shared/server-list.js";
import { readAuthorities } from "./shared/tls-connection.js";

/**
 * The maximum number of sets of options in use. Most programs have one or two, and each set has its own connections.
 */
const CLIENTS_MAX = 64;

/** The clients by name; the most recently used one is last. */
const clients = new Map<string, OutboxClient>();

/** Numbers that identify key objects, which have no text. */
let keyNumbers = new WeakMap<KeyObject, number>();
let keyCount = 0;

let cachedDefaults: Defaults | null = null;
let clientWithoutOptions: OutboxClient | null = null;

/**
 * Signs a command once, sends it to every daemon and resolves with the first successful result; null means nil.
 * @param command  a line, sent unchanged (the daemon splits it at spaces; there is no quoting), or a list of
 * arguments: text, numbers, bytes
 * @param options  options, or a list of servers as in PHP
 * @throws DbsyncError  as a rejection, by the deadline at the latest
 */
export function dbsyncSend(command: CommandInput, options?: SendOptions | string): Promise<string | null>;
export function dbsyncSend(
  command: CommandInput,
  options?: SendOptions | string,
  surplus?: unknown,
): Promise<string | null> {
  try {
    if (surplus !== undefined) throw badSecret("options", ALLOWED_VALUES.callOptions);
    if (options === undefined) {
      clientWithoutOptions ??= cachedClient(readOptions({}, defaults));
      return clientWithoutOptions.send(command);
    }
    const settings = readOptions(options, defaults);
    return cachedClient(settings).sendWith(command, settings);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Closes all connections of `dbsyncSend` and discards its keys and defaults. The next call reads the environment,
 * dbsync.ini and the key files again. Calls in flight fail with `reset`. Clients from `createClient` are not affected.
 */
export function dbsyncReset(): void {
  const closing = [...clients.values()];
  clients.clear();
  clientWithoutOptions = null;
  cachedDefaults = null;
  keyNumbers = new WeakMap();
  for (const client of closing) client.closeWith("reset");
}

/**
 * Opens a client with its own options and connections. It connects at the first call. Close it after the last call.
 * @param options  options, or a list of servers
 * @throws DbsyncError `bad-option`, `bad-config` or `bad-key`, synchronously
 */
export function createClient(options: SendOptions | string = {}): Client {
  return withCommands(openClient(readOptions(options, defaults), warn, realEnvironment, true).client);
}

type CommandMethod = (this: Pick<OutboxClient, "call">, ...argv: Argument[]) => Promise<ReplyValue>;

/** The commands of a client with options for each call. */
class CommandsWithOptions implements Pick<OutboxClient, "call"> {
  readonly #client: OutboxClient;
  readonly #options: CallOptions;

  constructor(client: OutboxClient, options: CallOptions) {
    this.#client = client;
    this.#options = options;
  }

  call<Reply extends ReplyValue>(command: CommandInput): Promise<Reply> {
    return this.#client.call<Reply>(command, this.#options);
  }
}

/** Whether the class has a method for each command. Only `createClient` adds them: `dbsyncSend` needs none. */
let hasCommands = false;

/**
 * Adds commands as methods: `client.get(key)` is `client.call(["GET", key])`, with the types of the command's arguments
 * and result (shared/commands.ts). `call` and `withOptions` accept options (`db`, `if`, `signal` and so on).
 */
function withCommands(client: OutboxClient): Client {
  if (!hasCommands) {
    hasCommands = true;
    for (const name of methodNames()) {
      const method: CommandMethod = function (...argv) {
        return this.call([name, ...argv]);
      };
      for (const { prototype } of [OutboxClient, CommandsWithOptions])
        Object.defineProperty(prototype, name.toLowerCase(), { value: method });
    }
    Object.defineProperty(OutboxClient.prototype, "withOptions", { value: withOptions });
  }
  return client as OutboxClient & Client;
}

function withOptions(this: OutboxClient, options: CallOptions): CommandMethods {
  return new CommandsWithOptions(this, options) as CommandsWithOptions & CommandMethods;
}

/**
 * Opens a client and loads its key.
 * @param warned     receives warnings about a key that is still usable
 * @param isSession  whether reads must see the client's acknowledged writes
 */
export function openClient(
  configured: Settings,
  warned: (warning: string) => void,
  environment: Environment = realEnvironment,
  isSession = false,
): { client: OutboxClient; key: SigningKey } {
  const settings = withLoadedAuthorities(configured);
  const key = loadSigningKey(settings);
  for (const warning of key.warnings) warned(warning);
  const trace = frameTracer(process.env);
  const isExplained = settings.debug ?? trace !== null;
  return {
    client: openClientWith(settings, environment, key, { isSession, trace, warn: warned, isExplained }),
    key,
  };
}

/** Opens a client with a loaded key. */
export function openClientWith(
  settings: Settings,
  environment: Environment,
  signing: Signing,
  options: HostOptions = {},
): OutboxClient {
  return new OutboxClient(settings, new NodeHost(settings, environment, signing, options));
}

/** Loads the authorities that may sign the daemons' certificates. @throws DbsyncError `bad-option` */
export function withLoadedAuthorities(settings: Settings): Settings {
  const { servers, authorities } = settings;
  if (authorities === null) return settings;
  return {
    ...settings,
    servers: withAuthorities(servers, readAuthorities(authorities.ca, authorities.from)),
  };
}

function warn(warning: string): void {
  process.emitWarning(warning, { type: "DbsyncWarning" });
}

function defaults(): Defaults {
  cachedDefaults ??= readDefaults(defaultSources());
  return cachedDefaults;
}

function cachedClient(settings: Settings): OutboxClient {
  const name = nameOf(settings);
  const cached = clients.get(name);
  if (cached !== undefined) clients.delete(name);
  else if (clients.size >= CLIENTS_MAX) dropOne();
  const client = cached ?? openClient(settings, warn).client;
  clients.set(name, client);
  return client;
}

/** Closes the least recently used client that is not busy. */
function dropOne(): void {
  for (const [name, client] of clients) {
    if (client.isBusy) continue;
    clients.delete(name);
    if (client === clientWithoutOptions) clientWithoutOptions = null;
    client.closeWith("closed");
    return;
  }
  throw new DbsyncError("too-many-clients", `${CLIENTS_MAX}; use fewer, or createClient and close it`);
}

/**
 * Returns a name for the settings that two calls must have in common to share connections and a key. The remaining
 * settings belong to each call.
 */
function nameOf(settings: Settings): string {
  const { servers, authorities, key, passphrase, cluster, keepalive, format, versions, debug } = settings;
  const addresses = servers.map(({ text, tls }) => [text, tls]);

  return JSON.stringify([
    addresses,
    authorities?.ca.toString("latin1") ?? null,
    keyName(key),
    passphrase?.toString("latin1") ?? null,
    cluster,
    keepalive,
    format,
    versions,
    debug,
  ]);
}

function keyName(key: Settings["key"]): string | number | null {
  if (key === null || typeof key === "string") return key;
  if (!(key instanceof KeyObject)) return key.toString("latin1");
  const number = keyNumbers.get(key) ?? ++keyCount;
  keyNumbers.set(key, number);
  return number;
}
