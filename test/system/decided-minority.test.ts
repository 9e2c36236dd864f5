/**
 * Tests what clients of each listener receive for writes to decided keys while no majority of the members answers, and
 * that everything works again afterwards. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import { createClient } from "../../client/public-api.js";
import { ask as askMemcached } from "../../faces/memcached/test/memcached-lines.js";
import { clientOf, keyFile } from "../client/browser/scene.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { ask as askJson } from "../support/json-lines.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection, valueOfReply } from "../support/redis-connection.js";
import { respPort } from "../support/resp-trio.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";

const DOORS = ["--resp", "0", "--memcached", "0", "--mongo", "0", "--sql", "0", "--json", "0", "--ws", "0"];
const PATTERNS = ["d:*", "mongo:shop.*", "sql:shop:t"];

/** A client of one listener of the first daemon. */
interface Door {
  readonly name: string;
  /** Writes a decided key. @returns "ok", or the error that the program receives */
  readonly write: (key: string) => Promise<string>;
  /** Requests a change of a decided key that changes nothing. @returns the same */
  readonly changeNothing: () => Promise<string>;
  /** Writes another key. */
  readonly writePlain: () => Promise<string>;
  readonly close: () => unknown;
}

let trio: Trio;
let doors: readonly Door[] = [];

const errorOf = (problem: unknown): string => {
  const { message, code, outcomes } = problem as Error & { code?: unknown; outcomes?: unknown };
  return `${message} ${JSON.stringify({ code, outcomes })}`;
};
const done = async (call: Promise<unknown>): Promise<string> =>
  await call.then(
    () => "ok",
    (problem) => errorOf(problem),
  );

async function openDoors(): Promise<Door[]> {
  const [daemon, port] = [trio.daemon(0), trio.ports[0] as number];
  const resp = await RedisConnection.open(await respPort(trio, 0));
  const memcached = await RawClient.open(await daemon.portOf("memcached clients"));
  const mongo = new MongoClient(`mongodb://127.0.0.1:${await daemon.portOf("MongoDB clients")}`);
  await mongo.connect();
  const sql = await SqlLineClient.open(await daemon.portOf("SQL clients"));
  const json = await RawClient.open(await daemon.portOf("JSON clients"));

  const servers = [`127.0.0.1:${port}`];
  const signed = createClient({ servers, key: trio.app.privateKey, timeout: 20_000 });
  const first = createClient({ servers, key: trio.app.privateKey, timeout: 20_000, versions: "1" });
  const three = createClient({ servers: trio.servers, key: trio.app.privateKey, timeout: 20_000 });

  const key = join(trio.folder(0), "sidecar.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const sidecar = await startSidecar(key, servers, ["--resp", "0", "--memcached", "0"]);
  const behind = await RedisConnection.open(await sidecar.portOf("Redis clients"));
  const through = await RawClient.open(await sidecar.portOf("memcached clients"));
  const web = clientOf({ servers: [`ws://127.0.0.1:${await daemon.portOf("WebSocket clients")}`] });

  let n = 0;
  const redis = (connection: RedisConnection) => async (argv: string[]) => {
    const reply = valueOfReply(await connection.call(...(argv as [string, ...string[]])));
    return reply instanceof Error ? reply.message : "ok";
  };
  const line = async (connection: RawClient, text: string) => {
    const answer = await askMemcached(connection, text);
    return /^(STORED|NOT_FOUND)\r\n$/.test(answer) ? "ok" : answer;
  };

  const document = async (request: object) => {
    const answer = await askJson(json, request);
    return /success/.test(answer) ? "ok" : answer;
  };
  const insert = (name: string) => document({ action: "insert", document: name, data: [{ n: ++n }] });

  await sql.ask("use shop;");
  const statement = async (text: string) => {
    const answer = await sql.ask(text);
    return /\n(1 row|0 rows)\n/.test(answer) ? "ok" : answer;
  };
  const row = (table: string) => statement(`insert into ${table} values (${++n})`);

  await resp.call("DEL", "x");
  return [
    {
      name: "resp",
      write: (name) => redis(resp)(["SET", `d:${name}`, "1"]),
      changeNothing: () => redis(resp)(["LPOP", "d:absent"]),
      writePlain: () => redis(resp)(["SET", "plain", "1"]),
      close: () => resp[Symbol.dispose](),
    },
    {
      name: "memcached",
      write: (name) => line(memcached, `set d:${name} 0 0 1\r\n1\r\n`),
      changeNothing: () => line(memcached, "incr d:absent 1\r\n"),
      writePlain: () => line(memcached, "set plain 0 0 1\r\n1\r\n"),
      close: () => memcached[Symbol.dispose](),
    },
    {
      name: "mongo",
      write: () => done(mongo.db("shop").collection("items").insertOne({ n: ++n })),
      changeNothing: () =>
        done(
          mongo
            .db("shop")
            .collection("items")
            .updateOne({ n: 0 }, { $set: { m: 1 } }),
        ),
      writePlain: () => done(mongo.db("other").collection("items").insertOne({ n: ++n })),
      close: () => mongo.close(),
    },
    {
      name: "sql",
      write: () => row("t"),
      changeNothing: () => statement("update t set n = 1 where n = 0"),
      writePlain: () => row("p"),
      close: () => sql[Symbol.dispose](),
    },
    {
      name: "json",
      write: () => insert("d:doc"),
      changeNothing: () => document({ action: "delete", document: "d:doc", where: { n: 0 } }),
      writePlain: () => insert("doc"),
      close: () => json[Symbol.dispose](),
    },
    {
      name: "signed",
      write: (name) => done(signed.call(["SET", `d:${name}`, "1"])),
      changeNothing: () => done(signed.call(["LPOP", "d:absent"])),
      writePlain: () => done(signed.call(["SET", "plain", "1"])),
      close: () => signed.close(),
    },
    {
      name: "signed at three",
      write: (name) => done(three.call(["SET", `d:${name}`, "1"])),
      changeNothing: () => done(three.call(["LPOP", "d:absent"])),
      writePlain: () => done(three.call(["SET", "plain", "1"])),
      close: () => three.close(),
    },
    {
      name: "ws",
      write: (name) => done(web.call(["SET", `d:${name}`, "1"])),
      changeNothing: () => done(web.call(["LPOP", "d:absent"])),
      writePlain: () => done(web.call(["SET", "plain", "1"])),
      close: () => web.close(),
    },
    {
      name: "version 1",
      write: (name) => done(first.call(["SET", `d:${name}`, "1"])),
      changeNothing: () => done(first.call(["LPOP", "d:absent"])),
      writePlain: () => done(first.call(["SET", "plain", "1"])),
      close: () => first.close(),
    },
    {
      name: "sidecar",
      write: (name) => redis(behind)(["SET", `d:${name}`, "1"]),
      changeNothing: () => redis(behind)(["LPOP", "d:absent"]),
      writePlain: () => redis(behind)(["SET", "plain", "1"]),
      close: async () => {
        behind[Symbol.dispose]();
        await sidecar[Symbol.asyncDispose]();
      },
    },
    {
      name: "memcached at a sidecar",
      write: (name) => line(through, `set d:${name} 0 0 1\r\n1\r\n`),
      changeNothing: () => line(through, "incr d:absent 1\r\n"),
      writePlain: () => line(through, "set plain 0 0 1\r\n1\r\n"),
      close: () => through[Symbol.dispose](),
    },
  ];
}

async function order(...argv: readonly string[]): Promise<unknown> {
  const key = createPrivateKey(readFileSync(join(trio.folder(0), "daemon.pem")));
  await using client = trio.client([0], { key });
  return await client.call(argv, { policy: "first" });
}

before(async () => {
  const args = [...DOORS, "-s", keyFile, "--v1", "gateway", "--window", "3s,1s"];
  trio = await Trio.make(args, 3, { keys: "app", app: makeKeyPair("rsa") });
  await trio.openLinks();
  await trio.startAll();

  for (const pattern of PATTERNS)
    await trio.until("announced", async () => (await order("CLUSTER", "DECIDE", pattern)) === "OK");

  using made = await SqlLineClient.open(await trio.daemon(0).portOf("SQL clients"));
  const make = "create database shop;\nuse shop;\ncreate table t (n number);\ncreate table p (n number);\n";
  assert.doesNotMatch(await made.ask(make), /error/i);
  using json = await RawClient.open(await trio.daemon(0).portOf("JSON clients"));
  for (const document of ["d:doc", "doc"])
    assert.match(await askJson(json, { action: "create", document }), /success/);

  doors = await openDoors();
  await trio.until("begun", async () => {
    const answers = await Promise.all(doors.map(({ write }) => write("begun")));
    return answers.every((answer) => answer === "ok");
  });
});
after(async () => {
  for (const { close } of doors) await close();
  await trio?.[Symbol.asyncDispose]();
});

const SILENCES: Readonly<Record<string, (isSilent: boolean) => void>> = {
  "the other daemons are suspended": (isSilent) => {
    for (const index of [1, 2]) trio.daemon(index).kill(isSilent ? "SIGSTOP" : "SIGCONT");
  },
  "the links lose all bytes": (isSilent) => {
    for (const link of trio.links.flat()) link.isHeld = isSilent;
  },
};

/** Matches the errors of the listeners: with an unknown effect, without one, and of version 1, which names none. */
const UNKNOWN = /^(SERVER_ERROR |RESULT_MESSAGE\nHadisoana : |.*"message":")?MAYBEAPPLIED|undecided:/;
const REFUSED = /^(SERVER_ERROR |RESULT_MESSAGE\nHadisoana : |.*"message":")?NOTAPPLIED|cannot-decide:/;
const WITHOUT_REASON = /no-reason/;

const isError = (name: string, answer: string, pattern: RegExp): boolean =>
  (name === "version 1" ? WITHOUT_REASON : pattern).test(answer);

for (const [name, set] of Object.entries(SILENCES))
  test(`each listener refuses writes to decided keys soon: ${name}`, async (t) => {
    set(true);
    const since = performance.now();
    const took = async ({ name, write }: Door) => {
      const answer = await write("first");
      assert.ok(isError(name, answer, UNKNOWN) || isError(name, answer, REFUSED), `${name}: ${answer}`);
      assert.doesNotMatch(answer, /"stage":"timeout"/);
      return `${name} ${Math.round(performance.now() - since)}`;
    };
    t.diagnostic(`milliseconds: ${(await Promise.all(doors.map(took))).join(", ")}`);

    for (const { name, write, changeNothing, writePlain } of doors) {
      for (const answer of [await write("second"), await changeNothing()]) {
        assert.ok(isError(name, answer, REFUSED), `${name}: ${answer}`);
        assert.doesNotMatch(answer, /"stage":"timeout"/);
      }
      assert.equal(await writePlain(), "ok", name);
    }

    set(false);
    const healing = performance.now();
    await trio.until("it works again", async () => {
      const answers = await Promise.all(
        doors.map(async ({ write, changeNothing }) => [await write("healed"), await changeNothing()]),
      );
      return answers.flat().every((answer) => answer === "ok");
    });
    t.diagnostic(`it works again after ${Math.round(performance.now() - healing)} ms`);
  });

test("a memcached request that changes nothing is decided at a daemon's port and through a sidecar", async () => {
  const key = join(trio.folder(0), "sidecar.pem");
  await using sidecar = await startSidecar(key, [`127.0.0.1:${trio.ports[0]}`], ["--memcached", "0"]);
  using through = await RawClient.open(await sidecar.portOf("memcached clients"));
  using here = await RawClient.open(await trio.daemon(0).portOf("memcached clients"));
  using elsewhere = await RawClient.open(await trio.daemon(1).portOf("memcached clients"));

  await trio.until("this daemon writes", async () =>
    /STORED/.test(await askMemcached(here, "set d:old 0 0 1\r\n1\r\n")),
  );
  assert.equal(await askMemcached(through, "incr d:old 1\r\n"), "2\r\n");

  const cutOff = trio.links.flatMap((links, from) => links.filter((_, to) => (from === 0) !== (to === 0)));
  for (const link of cutOff) link.isHeld = true;
  await trio.until("the other daemons write", async () =>
    /STORED/.test(await askMemcached(elsewhere, "set d:new 0 0 1\r\n1\r\n")),
  );

  assert.match(await askMemcached(here, "incr d:new 1\r\n"), /^SERVER_ERROR (MAYBE|NOT)APPLIED/);
  assert.match(await askMemcached(through, "incr d:new 1\r\n"), /^SERVER_ERROR (MAYBE|NOT)APPLIED/);
  assert.equal(await askMemcached(through, "incr plain:new 1\r\n"), "NOT_FOUND\r\n");

  for (const link of cutOff) link.isHeld = false;
  await trio.until(
    "this daemon has the other daemons' write",
    async () => (await askMemcached(through, "incr d:new 1\r\n")) === "2\r\n",
  );
});

test("a client that waits for an element receives it when a majority answers again, and delays no others", async () => {
  using waiting = await RedisConnection.open(await respPort(trio, 0));
  using writing = await RedisConnection.open(await respPort(trio, 0));
  await writing.call("RPUSH", "d:queue", "job");
  SILENCES["the links lose all bytes"]?.(true);
  let answer: unknown = null;
  const answered = waiting.call("BLPOP", "d:queue", "0").then((reply) => {
    answer = valueOfReply(reply);
  });
  const since = performance.now();
  assert.match(String(valueOfReply(await writing.call("SET", "d:x", "1"))), /(MAYBE|NOT)APPLIED/);
  assert.ok(performance.now() - since < 5_000);
  assert.equal(answer, null);
  SILENCES["the links lose all bytes"]?.(false);
  await answered;
  assert.deepEqual(answer, ["d:queue", "job"]);
});
