/**
 * Tests what clients of decided keys see at three daemons. A client reads its own writes while a daemon waits for the
 * decision, pipelines of memcached, SQL and JSON clients are answered as by one daemon, and a value that clients of
 * several listeners change at a version contains each acknowledged change once, also after all daemons were killed.
 * Source: docs/consistency.md "Your own writes", "Decided keys".
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask as askMemcached } from "../../faces/memcached/test/memcached-lines.js";
import { amount } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { decideOn, EARLY_PATTERNS } from "../support/decided-patterns.js";
import { pause } from "../support/pause.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection } from "../support/redis-connection.js";
import { respPort } from "../support/resp-trio.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";

const DAEMONS = [0, 1, 2];
const LISTENERS = ["resp", "memcached", "sql", "json"].flatMap((name) => [`--${name}`, "0"]);
const READS = 20;
/** Matches an answer that does not show the effect of a request: a decision took too long. */
const UNDECIDED = /(MAYBE|NOT)APPLIED/;

let trio: Trio;
const folder = new ScratchFolder();

before(async () => {
  trio = await Trio.make([...LISTENERS, ...EARLY_PATTERNS], 3, { keys: "app" });
  await trio.openLinks();
  await trio.startAll();
  await decideOn(trio, ["d:*", "sql:shop:*"]);
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Makes a daemon miss all decisions, without closing a connection. */
function holdBack(index: number, isHeld: boolean): void {
  for (const [from, links] of trio.links.entries())
    for (const [to, link] of links.entries()) if (from === index || to === index) link.isHeld = isHeld;
}

test("a client and a sidecar read their own writes while one daemon waits for the decision", async () => {
  await using client = trio.client();
  await using sidecar = await startSidecar(folder.privateKey(trio.app), trio.servers, ["--resp", "0"]);
  using connection = await RedisConnection.open(await sidecar.portOf("Redis clients"));
  for (const key of ["d:client", "d:sidecar"]) await client.call(["SET", key, "old"], { policy: "all" });
  await trio.until("the sidecar writes", async () => (await connection.value("INCR", "d:ready")) === 1);

  holdBack(2, true);
  try {
    // The daemon may be the keeper, so that the first decision takes longer.
    await trio.until(
      "the client writes",
      async () => (await client.call(["SET", "d:client", "new"]).catch(() => null)) === "OK",
    );
    await trio.until(
      "the sidecar writes again",
      async () => (await connection.value("SET", "d:sidecar", "new")) === "OK",
    );
    for (let n = 0; n < READS; n++) {
      assert.equal(await client.call(["GET", "d:client"]), "new");
      assert.equal(await connection.value("GET", "d:sidecar"), "new");
    }
  } finally {
    holdBack(2, false);
  }
});

type Send = (requests: string) => Promise<string>;

/** The requests of a listener, and how a client sends them together. */
interface Pipe {
  readonly served: "memcached clients" | "SQL clients" | "JSON clients";
  open(port: number): Promise<{ readonly send: Send; close(): void }>;
  /** Returns the first request, which creates what the others change. */
  first(name: string): string;
  next(name: string, random: SeededRandom): string;
}

const memcached: Pipe = {
  served: "memcached clients",
  async open(port) {
    const raw = await RawClient.open(port);
    return { send: (requests) => askMemcached(raw, requests), close: () => raw[Symbol.dispose]() };
  },
  first: (name) => `set d:${name} 0 0 1\r\n1\r\n`,
  next(name, random) {
    const [key, quiet] = [random.oneOf([`d:${name}`, `p:${name}`]), random.oneOf(["", " noreply"])];
    return random.oneOf([
      ...["set", "add", "replace", "append"].map((verb) => `${verb} ${key} 0 0 2${quiet}\r\n12\r\n`),
      ...[`incr ${key} 2${quiet}\r\n`, `delete ${key}${quiet}\r\n`, `touch ${key} 100${quiet}\r\n`],
      ...[`get d:${name} p:${name}\r\n`, `md ${key} q\r\n`, `ma ${key} v q\r\n`, `ms ${key} 1 q ME\r\n7\r\n`],
    ]);
  },
};

const sql: Pipe = {
  served: "SQL clients",
  async open(port) {
    const client = await SqlLineClient.open(port);
    const send: Send = async (requests) => {
      const answers: string[] = [];
      client.raw.send(requests);
      for (const _ of requests.matchAll(/;/g)) answers.push(await client.raw.readTo("\nEND\n"));
      return answers.join("");
    };
    await send("create database shop;use shop;");
    return { send, close: () => client[Symbol.dispose]() };
  },
  first: (name) => `create table ${name} (k number primary key, v number);`,
  next(name, random) {
    const [k, v] = [random.below(4), random.below(4)];
    return random.oneOf([
      ...[`insert into ${name} values (${k},${v});`, `replace into ${name} values (${k},${v});`],
      ...[`update ${name} set v=v+1 where v>=${v};`, `delete from ${name} where k=${k};`],
      ...[`create unique index i${name} on ${name} (v);`, `drop index i${name};`, `select * from ${name};`],
    ]);
  },
};

const json: Pipe = {
  served: "JSON clients",
  async open(port) {
    const raw = await RawClient.open(port);
    const send: Send = async (requests) => {
      const answers: string[] = [];
      raw.send(requests);
      for (const _ of requests.matchAll(/\n/g)) answers.push(await raw.readTo("\n\r"));
      return answers.join("").replaceAll(/,"replicated":\w+/g, "");
    };
    return { send, close: () => raw[Symbol.dispose]() };
  },
  first: (name) => `{"action":"create","document":"d:${name}"}\n`,
  next(name, random) {
    const [id, data] = [random.below(4), { v: random.below(3) }];
    const request = random.oneOf<object>([
      ...[
        { action: "insert", data: [data, data], ids: true },
        { action: "update", id, data },
      ],
      ...[{ action: "delete", id }, { action: "get" }, { action: "count" }, { action: "empty" }],
      ...[
        { action: "addmember", field: "z" },
        { action: "dropmember", field: "z" },
      ],
    ]);
    return `${JSON.stringify({ ...request, document: `d:${name}`, replicate: false })}\n`;
  },
};

test("pipelines of memcached, SQL and JSON clients at three daemons are answered as by one daemon", async (t) => {
  await using lone = await startDaemon([...LISTENERS, "--data", `${folder.path}/lone`]);
  let answered = 0;
  const compare = async (pipe: Pipe, index: number) => {
    const random = new SeededRandom(seed(), index);
    const here = await pipe.open(await trio.daemon(index).portOf(pipe.served));
    const there = await pipe.open(await lone.portOf(pipe.served));
    for (let round = 0; round < amount(2, 40); round++) {
      const name = `${pipe.served.slice(0, 1)}${index}x${round}`;
      const sent = [pipe.first(name)];
      for (let n = 0; n < 6; n++) {
        const requests = Array.from({ length: random.between(1, 6) }, () => pipe.next(name, random)).join("");
        const together = n === 0 ? sent.join("") + requests : requests;
        sent.push(requests);
        const [decided, expected] = [await here.send(together), await there.send(together)];
        // After such an answer, the values are unknown.
        if (UNDECIDED.test(decided)) break;
        assert.equal(decided, expected, sent.join(""));
        answered++;
      }
    }
    here.close();
    there.close();
  };
  await Promise.all(
    [memcached, sql, json].flatMap((pipe) => DAEMONS.map(async (index) => await compare(pipe, index))),
  );
  t.diagnostic(`${answered} pipelines`);
  assert.ok(answered > 0);
});

/** A client that adds a text to a value if the value has not changed since it was read. */
interface Writer {
  /** @returns whether the value has changed, or null if that is unknown */
  add(text: string): Promise<boolean | null>;
  close(): void;
}

const KEY = "d:chain";
const result = (answer: string, isAdded: boolean): boolean | null =>
  isAdded || !/MAYBEAPPLIED/.test(answer) ? isAdded : null;

async function watching(index: number): Promise<Writer> {
  const connection = await RedisConnection.open(await respPort(trio, index));
  return {
    async add(text) {
      await connection.value("WATCH", KEY);
      const value = await connection.value("GET", KEY);
      if (typeof value !== "string") return false;
      await connection.value("MULTI");
      await connection.value("SET", KEY, value + text);
      const answer = await connection.value("EXEC");
      return result(String(answer), Array.isArray(answer) && answer[0] === "OK");
    },
    close: () => connection[Symbol.dispose](),
  };
}

async function comparing(index: number): Promise<Writer> {
  const raw = await RawClient.open(await trio.daemon(index).portOf("memcached clients"));
  return {
    async add(text) {
      const [line = "", value = ""] = (await askMemcached(raw, `gets ${KEY}\r\n`)).split("\r\n");
      const [, , , , number] = line.split(" ");
      if (number === undefined) return false;
      const next = value + text;
      const answer = await askMemcached(raw, `cas ${KEY} 0 0 ${next.length} ${number}\r\n${next}\r\n`);
      return answer === "" ? null : result(answer, answer === "STORED\r\n");
    },
    close: () => raw[Symbol.dispose](),
  };
}

/** Returns a client of two daemons that sends conditions. */
async function signing(index: number): Promise<Writer> {
  const client = trio.client([index, (index + 1) % DAEMONS.length]);
  return {
    async add(text) {
      const read = await client.multi([`WRITERS ${KEY}`, `GET ${KEY}`], { buffers: true }).catch(() => null);
      if (read === null) return false;
      const [[writer], value] = read as unknown as [[Buffer], Buffer];
      const condition = { key: KEY, writer: writer.toString("hex") };
      return await client.call(["SET", KEY, `${value}${text}`], { if: [condition] }).then(
        (answer) => answer === "OK",
        ({ effect }: { readonly effect?: string }) => (effect === "not-applied" ? false : null),
      );
    },
    close: () => void client.close(),
  };
}

test("a value that clients change at a version contains each acknowledged change once, also after kills", async (t) => {
  await using client = trio.client();
  await client.call(["SET", KEY, ","], { policy: "all" });
  const outcomes = new Map<string, boolean | null>();
  let isOver = false;

  /** Adds texts, with a new connection whenever one is lost. */
  const work = async (open: (index: number) => Promise<Writer>, index: number, name: string) => {
    let writer: Writer | null = null;
    for (let n = 0; !isOver; n++) {
      const text = `${name}${index}-${n},`;
      writer ??= await open(index).catch(() => null);
      const outcome = await writer?.add(text).catch(() => null);
      if (outcome !== undefined) outcomes.set(text, outcome);
      if (outcome === null) {
        writer?.close();
        writer = null;
      }
      await pause(20);
    }
    writer?.close();
  };

  const added = () => [...outcomes.values()].filter((outcome) => outcome === true).length;
  const more = async (count: number) => {
    const before = added();
    await trio.until("clients add more", async () => added() >= before + count);
  };
  const kinds = { w: watching, c: comparing, s: signing };
  const working = Object.entries(kinds).flatMap(([name, open]) =>
    DAEMONS.map((index) => work(open, index, name)),
  );
  for (let round = 0; round < amount(1, 5); round++) {
    await more(3);
    const killed = round % 2 === 0 ? DAEMONS : [round % DAEMONS.length];
    await Promise.all(killed.map((index) => trio.end(index, "SIGKILL")));
    await Promise.all(killed.map((index) => trio.start(index)));
    await more(3);
  }
  isOver = true;
  await Promise.all(working);

  const value = String(await client.call(["GETEX", KEY, "PERSIST"]));
  for (const [text, outcome] of outcomes) {
    const times = value.split(`,${text}`).length - 1;
    assert.ok(
      outcome === null ? times <= 1 : times === Number(outcome),
      `${text} ${outcome}: ${times} times`,
    );
  }
  t.diagnostic(`${added()} of ${outcomes.size} changes`);
});
