/** Tests the methods of a client for commands: what they send, and their results. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createClient } from "../../client/public-api.js";
import { replyValue } from "../../client/shared/reply-conversion.js";
import { findCommand } from "../../daemon/store/command-table.js";
import { Database } from "../../daemon/store/database.js";
import type { Unit } from "../../daemon/store/keyspace/unit.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { writeReply } from "../../protocol/resp/resp-writer.js";
import { randomCall } from "../conformance/call.js";
import { episode } from "../conformance/episode.js";
import { commandGrammars } from "../conformance/families.js";
import { Generator } from "../conformance/grammar.js";
import { amount } from "../support/amount.js";
import { startDaemonHere } from "../support/daemon-here.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { SIGNATURES } from "../tables/command-signatures.js";

test("a method accepts the command's arguments, and resolves with its typed reply", async () => {
  const key = makeKeyPair();
  await using daemon = await startDaemonHere(["-s", key.file]);
  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: key.privateKey });

  const ok: string | null = await client.set("greeting", "good morning", "EX", 100);
  const added: number = await client.hset("user:7", "name", "Ada", "age", 36);
  const name: string | null = await client.hget("user:7", "name");
  const views: number | bigint = await client.incr("views");
  const popped: string | string[] | null = await client.lpop("nothing");
  const [cursor, found]: [string, string[]] = await client.sscan("nothing", 0);
  assert.deepEqual([ok, added, name, views, popped, cursor, found], ["OK", 2, "Ada", 1, null, "0", []]);

  assert.deepEqual(await client.hgetall("user:7"), ["name", "Ada", "age", "36"]);
  await assert.rejects(client.lpush("greeting", "x"), { code: "reply", command: "LPUSH greeting" });
  const receivers: number = await client.publish("news", "hello");
  assert.deepEqual([receivers, await client.ping(), await client.ping("hello")], [0, "PONG", "hello"]);

  // @ts-expect-error  GET needs a key
  await assert.rejects(client.get());
  // @ts-expect-error  an argument is text, a number or bytes
  await assert.rejects(client.get({ key: "greeting" }), { code: "bad-command" });
  const [writer] = await client.call<[string | null]>("WRITERS greeting");
  assert.equal(writer?.length, 72);
  // @ts-expect-error  no reply is a Date
  await client.call<Date>("GET greeting");
});

test("only clients from createClient have the methods, and none hides a method of the client", () => {
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(Object.getPrototypeOf(createClient())));
  for (const { name } of SIGNATURES) assert.ok(!own.includes(name.toLowerCase()), name);
});

test("arities and keys of the signatures match the command table", () => {
  for (const { name, parameters } of SIGNATURES) {
    const command = findCommand(name);
    assert.ok(command, name);
    const needed = parameters.filter((parameter) => !/^\.\.\.|\?$/.test(parameter));
    const isOpen = needed.length < parameters.length;
    const { arity } = command;
    assert.equal(isOpen, arity < 0, name);
    // If arguments depend on each other, the signature does not describe all of them.
    assert.ok(isOpen ? needed.length < -arity : needed.length === arity - 1, name);
    const argv = [name, ...needed.map((_, i) => `${i}`)];
    const keys = new Set(touchesOf(command.keys, argv).map((touch) => touch.key));
    for (const [i, parameter] of needed.entries())
      if (!/^(GEO|LCS)/.test(name))
        assert.equal(keys.has(`${i}`), /^key\d?$/.test(parameter), `${name} ${parameter}`);
  }
});

const isList = (value: unknown, holds: (one: unknown) => boolean) =>
  Array.isArray(value) && value.every(holds);
const isText = (value: unknown) => typeof value === "string";
const isInteger = (value: unknown) => typeof value === "number" || typeof value === "bigint";

/** Functions that check values against the types of command-signatures.ts. */
const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: isText,
  number: (value) => typeof value === "number",
  null: (value) => value === null,
  bigint: (value) => typeof value === "bigint",
  '"OK"': (value) => value === "OK",
  "string[]": (value) => isList(value, isText),
  "number[]": (value) => isList(value, isInteger),
  "(string | null)[]": (value) => isList(value, (one) => one === null || isText(one)),
  "[cursor: string, found: string[]]": (value) =>
    Array.isArray(value) && value.length === 2 && isText(value[0]) && isList(value[1], isText),
  ReplyValue: () => true,
};

const isOf = (value: unknown, type: string): boolean =>
  type in CHECKS ? (CHECKS[type]?.(value) ?? false) : type.split(" | ").some((one) => CHECKS[one]?.(value));

/** The commands whose random calls the store does not execute. */
const NOT_OF_THE_STORE: readonly string[] = ["PUBLISH"];

test("the replies to random calls have the declared types", () => {
  const types = new Map(SIGNATURES.map(({ name, result }) => [name, result]));
  const seen = new Set<string>();

  const check = (database: Database, name: string, argv: readonly string[], step: Unit) => {
    const reply = database.execute(argv, step);
    const type = types.get(name);
    if (type === undefined || reply.kind === "error") return;
    const read = new RespReader(Buffer.from(writeReply(reply), "latin1")).readReply();
    const value = replyValue(read, false, null);
    seen.add(name);
    if (!isOf(value, type)) assert.fail(`${argv.join(" ")}: ${inspect(value)} is no ${type}`);
  };

  for (let number = 0; number < amount(40, 200); number++) {
    const database = new Database();
    const { steps } = episode(seedOfRun(), number, { calls: 300, now: 1_790_000_000_000 });
    for (const step of steps) check(database, step.name, step.argv, step);
  }

  // Episodes contain no writing commands that Redis does not have.
  const g = new Generator({ random: new SeededRandom(seedOfRun()), now: 1_790_000_000_000 });
  for (const grammar of commandGrammars)
    for (let call = 0; !seen.has(grammar.name) && types.has(grammar.name) && call < 100; call++)
      check(new Database(), grammar.name, randomCall(g, grammar), { at: 1, db: 0, id: `${call}` });

  assert.deepEqual(
    [...types.keys()].filter((name) => !seen.has(name)),
    NOT_OF_THE_STORE,
  );
});
