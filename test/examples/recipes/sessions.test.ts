/** Tests the session store of examples/recipes. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Sessions } from "../../../examples/recipes/sessions.js";
import { shareTrio } from "./cut-trio.js";

const trioOfFile = shareTrio();

const REQUESTS = 30;

test("the next request reads the writes of the previous one from any daemon", async () => {
  await using cut = await trioOfFile();
  const timeout = 20_000;
  const [first, second] = [await cut.reaching([0], { timeout }), await cut.reaching([1], { timeout })].map(
    (client) => new Sessions(client),
  ) as [Sessions, Sessions];

  const id = randomUUID();
  const begun = await first.begin(id, { user: "ada" });
  assert.equal((await second.load(id, begun))?.fields["user"], "ada");

  cut.areApart = true;
  const seen = await first.set(id, { cart: "book" });
  assert.equal(
    (await second.load(id, null))?.fields["cart"],
    undefined,
    "without `seen` the read returns the old value",
  );

  const loaded = second.load(id, seen);
  cut.areApart = false;
  assert.equal((await loaded)?.fields["cart"], "book");
});

test("a write on a daemon that does not know the end of a session does not restore the session", async () => {
  await using cut = await trioOfFile();
  const [first, second] = [await cut.reaching([0]), await cut.reaching([1])];
  const [ending, writing] = [new Sessions(first), new Sessions(second)];

  const id = randomUUID();
  const seen = await ending.begin(id, { user: "ada" });
  await first.send("SET naive ada");
  await writing.load(id, seen);
  await cut.trio.level(60_000);

  cut.areApart = true;
  await ending.end(id);
  await first.send("DEL naive");
  await writing.set(id, { cart: "book" });
  await second.send("SET naive ada-and-book");

  assert.equal(
    (await writing.load(id, null))?.fields["user"],
    "ada",
    "on this daemon the session has not ended yet",
  );

  await cut.heal();
  assert.equal(await ending.load(id, null), null);
  assert.equal(await writing.load(id, null), null);
  assert.equal(
    await first.send("GET naive"),
    "ada-and-book",
    "a session that is stored as one value is restored",
  );
});

test("concurrent requests do not lose each other's changes, even when a daemon is killed", async () => {
  await using cut = await trioOfFile();
  const servers = [0, 1].map(() => new Sessions(cut.client())) as [Sessions, Sessions];
  const id = randomUUID();
  const seen = await servers[0].begin(id, { user: "ada" });
  await servers[1].load(id, seen);

  await Promise.all(
    servers.map(async (sessions, server) => {
      for (let i = 0; i < REQUESTS; i++) {
        if (server === 0 && i === REQUESTS / 3) await cut.kill(2);
        await Promise.all([
          sessions.add(id, "views", 1),
          sessions.set(id, { [`field-${server}-${i}`]: "x" }),
        ]);
      }
    }),
  );

  await cut.restart(2);
  await cut.heal();
  const there = await cut.reaching([2]);
  const session = await new Sessions(there).load(id, null);
  assert.equal(session?.fields["views"], String(2 * REQUESTS));
  assert.equal(Object.keys(session?.fields ?? {}).length, 2 * REQUESTS + 3);
});
