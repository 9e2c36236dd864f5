/**
 * Tests that the members decide on the keys of a pattern through each listener, library and version of the protocol:
 * if clients of all daemons take a name at the same time, one has it, at each daemon. Source: docs/decisions/0081.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PATIENT } from "../support/active-cluster.js";
import { amount, some } from "../support/amount.js";
import { decideOn, EARLY_PATTERNS } from "../support/decided-patterns.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { Trio } from "../support/trio.js";
import { DOOR_PATTERNS, DOOR_PORTS, DOORS, type Door, type DoorClient } from "./decided-doors.js";

/** The races of each door. */
const ROUNDS = amount(1, 10);
const LIBRARY_ROUNDS = amount(1, 200);
const INCREMENTS = amount(60, 3_000);

const DAEMONS = [0, 1, 2];

let trio: Trio;
const folder = new ScratchFolder();
const legacy = makeKeyPair("rsa");

before(async () => {
  const args = [...DOOR_PORTS, ...EARLY_PATTERNS, ...PATIENT, "--v1", "gateway", "-s", legacy.file];
  trio = await Trio.start(args, 3, { keys: "app", areHere: true });
  await decideOn(trio, [...DOOR_PATTERNS, "sql:ahead:names"]);
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Lets clients at the daemons take names through these doors. Asserts that one has each name, at each daemon. */
async function race(doors: readonly Door[], label: string): Promise<void> {
  const keys = { file: folder.privateKey(trio.app), legacy };
  const count = doors.every(({ isLibrary = false }) => isLibrary) ? LIBRARY_ROUNDS : ROUNDS;
  const names = Array.from({ length: count }, (_, round) => `${label}-${round}`);
  const clients: DoorClient[] = [];
  try {
    for (const [index, door] of doors.entries()) clients.push(await door.open(trio, index, keys));
    await clients[0]?.prepare?.(names);

    for (const name of names) {
      const taken = await Promise.all(clients.map((client, index) => client.take(name, `client${index}`)));
      const owners = clients.flatMap((_, index) => (taken[index] ? [`client${index}`] : []));
      assert.equal(owners.length, 1, `${name}: ${JSON.stringify(taken)}`);
      for (const client of clients)
        await trio.until("each daemon knows the owner", async () => (await client.holder(name)) !== null);
      assert.deepEqual(
        await Promise.all(clients.map((client) => client.holder(name))),
        clients.map(() => owners[0]),
      );
    }
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
}

for (const [number, door] of DOORS.entries())
  test(`one of three clients has a name: ${door.name}`, { skip: door.skip ?? false }, () =>
    race([door, door, door], `same${number}`),
  );

/** Those that lock the same keys. */
const LOCKS = DOORS.filter(({ skip = false, isLock = false }) => isLock && skip === false);

test("one of three clients of different listeners and libraries has a name", async () => {
  for (const [number, door] of some(LOCKS).entries()) {
    const others = [1, 2].map((step) => LOCKS[(number + step) % LOCKS.length] as Door);
    await race([door, ...others], `mixed${number}`);
  }
});

test("all answers to INCR of three libraries are different", async () => {
  const libraries = DOORS.filter(({ isLibrary = false, skip = false }) => isLibrary && skip === false);
  const answers: number[] = [];
  const keys = { file: folder.privateKey(trio.app), legacy };
  await Promise.all(
    DAEMONS.map(async (index) => {
      await using client = await (libraries[index % libraries.length] as Door).open(trio, index, keys);
      const calls = Array.from({ length: Math.ceil(INCREMENTS / DAEMONS.length) }, async () =>
        answers.push(Number(await client.call?.("INCR", "d:counter"))),
      );
      await Promise.all(calls);
    }),
  );
  assert.equal(new Set(answers).size, answers.length);
  assert.equal(Math.max(...answers), answers.length);
});

test("statements of one SQL connection keep their order, although a client has dated an entry ahead", async () => {
  using sql = await SqlLineClient.open(await trio.daemon(0).portOf("SQL clients"));
  for (const statement of [
    ...["create database ahead", "use ahead", "create table names (name text(1,40))"],
    ...["create table copies (name text(1,40))", "insert into names values ('first')"],
  ])
    await sql.told(statement);

  using client = await EnvelopeClient.open(trio.ports[0] as number, trio.app);
  await client.ask([["SET", "ahead", "x"]], { at: Date.now() + 800 });
  await sql.told("insert into copies select name from names");
  await sql.told("update names set name = 'second'");
  await trio.until("each statement takes effect", async () =>
    (await sql.ask("select name from names")).includes('"rows":[["second"]]'),
  );
  assert.match(await sql.ask("select name from copies"), /"rows":\[\["first"\]\]/);
});
