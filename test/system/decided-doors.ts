/**
 * The listeners, libraries and versions of the protocol through which programs write decided keys. Each client takes
 * names that one client only can have, and reads which client has one.
 */
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { WebSocket } from "ws";
import { createClient as createPageClient } from "../../client/browser/public-api.js";
import type { SendOptions } from "../../client/public-api.js";
import { askMemcached } from "../../faces/memcached/test/memcached-lines.js";
import { skipUnlessFull } from "../support/amount.js";
import type { DaemonHere } from "../support/daemon-here.js";
import type { Served } from "../support/daemon-process.js";
import type { KeyPair } from "../support/envelope-client.js";
import { RawClient } from "../support/raw-client.js";
import { skipWithout } from "../support/requirements.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { startSidecar } from "../support/start-sidecar.js";
import type { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { PhpRedisClient, RedisPyClient } from "./redis-programs.js";

/** The patterns of all names. */
export const DOOR_PATTERNS: readonly string[] = ["d:*", "mongo:shop.*", "sql:shop:orders"];
/** The listeners of the daemons. */
export const DOOR_PORTS: readonly string[] = ["resp", "memcached", "mongo", "sql", "json", "ws"].flatMap(
  (option) => [`--${option}`, "0"],
);
const LIFETIME_MS = 600_000;

/** A client at one daemon. */
export interface DoorClient extends AsyncDisposable {
  /** Sends a Redis command. */
  call?(...argv: readonly string[]): Promise<unknown>;
  /** Creates what contains the names, for all daemons. */
  prepare?(names: readonly string[]): Promise<void>;
  /** Returns whether the client has the name now. */
  take(name: string, by: string): Promise<boolean>;
  /** Returns the client that has the name, or null if this daemon does not know one yet. */
  holder(name: string): Promise<string | null>;
}

export interface DoorKeys {
  /** The path of the private key of the daemons' clients. */
  readonly file: string;
  /** The key pair of clients that know only version 1 of the protocol. */
  readonly legacy: KeyPair;
}

export interface Door {
  readonly name: string;
  readonly skip?: string | false;
  /** Whether it is an unmodified library for Redis at a daemon's port. */
  readonly isLibrary?: true;
  /** Whether it takes a name by creating the key `d:NAME`. */
  readonly isLock?: true;
  readonly open: (trio: Trio, index: number, keys: DoorKeys) => Promise<DoorClient>;
}

/** Returns a client that locks names with `SET … NX`. */
function ofRedis(call: (...argv: string[]) => Promise<unknown>, close: () => unknown): DoorClient {
  return {
    call,
    async take(name, by) {
      const reply = await call("SET", `d:${name}`, by, "PX", String(LIFETIME_MS), "NX");
      return reply === "OK" || reply === true;
    },
    async holder(name) {
      const value = await call("GET", `d:${name}`);
      return typeof value === "string" ? value : null;
    },
    [Symbol.asyncDispose]: async () => void (await close()),
  };
}

function ofIoredis(port: number): DoorClient {
  const redis = new Redis({ port, maxRetriesPerRequest: 0 });
  return ofRedis(
    (name = "", ...rest) => redis.call(name, ...rest),
    () => redis.disconnect(),
  );
}

function ofProgram(program: PhpRedisClient | RedisPyClient): DoorClient {
  return ofRedis(
    (...argv) => program.call(...argv),
    () => program.disconnect(),
  );
}

const portOf = (trio: Trio, index: number, served: Served) => trio.daemon(index).portOf(served);

const LIBRARIES: readonly (Pick<Door, "name" | "skip"> & { readonly open: (port: number) => DoorClient })[] =
  [
    { name: "ioredis", open: ofIoredis },
    { name: "phpredis", skip: skipWithout("php-redis"), open: (port) => ofProgram(new PhpRedisClient(port)) },
    {
      name: "redis-py",
      skip: skipWithout("python3-redis"),
      open: (port) => ofProgram(new RedisPyClient(port)),
    },
  ];

const ofDaemon = ({ name, skip = false, open }: (typeof LIBRARIES)[number]): Door => ({
  name,
  isLibrary: true,
  isLock: true,
  skip,
  open: async (trio, index) => open(await portOf(trio, index, "Redis clients")),
});

const ofSidecar = ({ name, skip = false, open }: (typeof LIBRARIES)[number]): Door => ({
  name: `${name} at a sidecar`,
  isLock: true,
  skip: skipUnlessFull || skip,
  async open({ servers }, _, { file }) {
    const sidecar: DaemonHere = await startSidecar(file, servers, ["--resp", "0"]);
    const client = open(await sidecar.portOf("Redis clients"));
    return {
      ...client,
      async [Symbol.asyncDispose]() {
        await client[Symbol.asyncDispose]();
        await sidecar[Symbol.asyncDispose]();
      },
    };
  },
});

/** Returns calls that are signed for one daemon. */
const signed = (name: string, optionsFor: (legacy: KeyPair) => Partial<SendOptions>): Door => ({
  name,
  isLock: true,
  async open(trio, index, { legacy }) {
    const client = trio.client([index], optionsFor(legacy));
    return ofRedis(
      (...argv) => client.call(argv),
      () => client.close(),
    );
  },
});

const ofWebPage: Door = {
  name: "a web page",
  isLock: true,
  async open(trio, index) {
    const pkcs8 = trio.app.privateKey.export({ type: "pkcs8", format: "der" });
    const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
    const pem = trio.app.pem.split("\n").slice(1, -2).join("");
    const spki = Uint8Array.from(Buffer.from(pem, "base64")).buffer;
    const page = createPageClient({
      servers: [`ws://127.0.0.1:${await portOf(trio, index, "WebSocket clients")}`],
      key: { privateKey, spki },
      makeSocket: (url: string, protocol: string) => new WebSocket(url, protocol),
    });
    return ofRedis(
      (...argv) => page.call(argv),
      () => page.close(),
    );
  },
};

const ofMemcached: Door = {
  name: "memcached",
  isLock: true,
  async open(trio, index) {
    const port = await portOf(trio, index, "memcached clients");
    return {
      async take(name, by) {
        const answer = await askMemcached(port, `add d:${name} 0 0 ${by.length}\r\n${by}\r\n`);
        assert.match(answer, /^(NOT_)?STORED\r\n$/);
        return answer === "STORED\r\n";
      },
      holder: async (name) => (await askMemcached(port, `get d:${name}\r\n`)).split("\r\n")[1] ?? null,
      [Symbol.asyncDispose]: async () => {},
    };
  },
};

/** Returns clients that insert documents with a unique value, or change one at a version. */
const ofMongo = (kind: "unique" | "version"): Door => ({
  name: `a MongoDB driver, ${kind}`,
  async open(trio, index) {
    const port = await portOf(trio, index, "MongoDB clients");
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`);
    const orders = client.db("shop").collection<{ readonly name: string; readonly by: string }>(kind);
    return {
      async prepare() {
        await orders.createIndex({ name: 1 }, { unique: true });
      },
      async take(name, by) {
        const written =
          kind === "unique"
            ? orders.insertOne({ name, by })
            : orders.updateOne({ name, by: "" }, { $set: { by } }, { upsert: true });
        return await written.then(
          (result) => !("modifiedCount" in result) || result.modifiedCount + result.upsertedCount === 1,
          ({ code }: { readonly code: number }) => code !== 11000 && Promise.reject(new Error(String(code))),
        );
      },
      holder: async (name) => (await orders.findOne({ name }))?.by ?? null,
      [Symbol.asyncDispose]: () => client.close(),
    };
  },
});

/** Returns clients that insert rows with a unique value, or change one at a version. */
const ofSql = (kind: "unique" | "version"): Door => ({
  name: `SQL, ${kind}`,
  async open(trio, index) {
    const client = await SqlLineClient.open(await portOf(trio, index, "SQL clients"));
    return {
      async prepare() {
        await client.told("create database shop");
        await client.told("use shop");
        await client.told(
          "create table orders (name text(1,40) primary key, taken text(0,40), version number)",
        );
      },
      async take(name, by) {
        await client.told("use shop");
        if (kind === "unique")
          return (await client.told(`insert into orders values ('${name}', '${by}', 1)`)).startsWith("1 ");
        await client.told(`insert or ignore into orders values ('${name}', '', 1)`);
        const update = `update orders set taken = '${by}', version = 2 where name = '${name}' and version = 1`;
        return (await client.told(update)).startsWith("1 ");
      },
      async holder(name) {
        await client.told("use shop");
        const answer = await client.ask(`select taken from orders where name = '${name}'`);
        return /"rows":\[\["([^"]+)"\]\]/.exec(answer)?.[1] ?? null;
      },
      [Symbol.asyncDispose]: async () => client[Symbol.dispose](),
    };
  },
});

const JSON_DOCUMENT = "d:documents";

/** Clients that change an entry at a revision. */
const ofJson: Door = {
  name: "JSON",
  async open(trio, index) {
    const raw = await RawClient.open(await portOf(trio, index, "JSON clients"));
    const ask = async (request: object) => {
      raw.send(`${JSON.stringify({ document: JSON_DOCUMENT, ...request })}\n`);
      return JSON.parse(await raw.readTo("\n\r")) as {
        readonly status: string;
        readonly data?: Readonly<Record<string, { readonly by: string }>>;
        readonly details?: Readonly<Record<string, { readonly revision: string }>>;
      };
    };
    return {
      async prepare(names) {
        await ask({ action: "create" });
        const data = Object.fromEntries(names.map((name) => [name, { by: "" }]));
        await ask({ action: "insert", "auto-increment": false, data });
      },
      async take(name, by) {
        const read = () => ask({ action: "get", id: name, details: true });
        await until("the daemon has the entry", async () => (await read()).data !== undefined);
        const { data, details } = await read();
        if (data?.[name]?.by !== "") return false;
        const revision = details?.[name]?.revision;
        return (await ask({ action: "update", id: name, data: { by }, revision })).status === "success";
      },
      holder: async (name) => (await ask({ action: "get", id: name })).data?.[name]?.by || null,
      [Symbol.asyncDispose]: async () => raw[Symbol.dispose](),
    };
  },
};

export const DOORS: readonly Door[] = [
  ...LIBRARIES.map(ofDaemon),
  ...LIBRARIES.map(ofSidecar),
  ofMemcached,
  ofMongo("unique"),
  ofMongo("version"),
  ofSql("unique"),
  ofSql("version"),
  ofJson,
  ofWebPage,
  signed("signed calls", () => ({})),
  signed("signed calls without decide", () => ({ policy: "first" })),
  signed("version 1", ({ privateKey }) => ({ key: privateKey, versions: "1", policy: "first" })),
];
