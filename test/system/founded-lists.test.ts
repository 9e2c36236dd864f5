/**
 * Tests lists that their members sign: founded, changed, and forced by the remaining members after the majority was
 * lost. Usual runs test most orders with simulated daemons (test/simulation/founding.test.ts). Source:
 * docs/decisions/0080-members-found-their-list.md.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runDbsync } from "../client/child.js";
import { amount, skipUnlessFull } from "../support/amount.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { sendOrder } from "../support/decided-patterns.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { fieldsOf } from "./status.js";

/** Sends CLUSTER MEMBERS to a daemon, signed with the key in its folder. @returns the fields of the reply */
async function asOperator(trio: Trio, index: number, ...order: readonly string[]) {
  return fieldsOf(await sendOrder(trio, index, "CLUSTER", "MEMBERS", ...order));
}

const numbersOf = (lists: unknown): string[] =>
  (Array.isArray(lists) ? lists : []).map((text) => /number (\d+)/.exec(String(text))?.[1] ?? "");

/** Waits until daemons report under a list with a number, and decide. */
async function untilListed(trio: Trio, indices: readonly number[], number: string): Promise<void> {
  await trio.until(`all report under list ${number}`, async () => {
    const reports = await Promise.all(indices.map((index) => asOperator(trio, index)));
    return reports.every(
      (report) => Number(report.get("reporting")) === 1 && numbersOf(report.get("lists")).join() === number,
    );
  });
  await trio.until("they decide that a key is absent", async () => {
    await using client = trio.client(indices);
    return (await client.call(["SET", "absent", "me", "XX"])) === null;
  });
}

/** Creates a key if it is absent, which members of a list decide. @returns whether it was absent */
async function isCreated(trio: Trio, indices: readonly number[], key: string): Promise<boolean> {
  await using client = trio.client(indices);
  return (await client.call(["SET", key, "me", "NX"])) === "OK";
}

/** Orders a daemon to force a list, once it has noticed that a member is lost. */
const ordersForce = (trio: Trio, index: number, ...ids: readonly string[]): Promise<void> =>
  trio.until("a member is lost", async () => (await asOperator(trio, index, "FORCE", ...ids)).size > 0);

// A decision just after a change of the list may need another try, which this test does not permit.
test("daemons found a list, which they use for decisions and keep over restarts", {
  skip: skipUnlessFull,
}, async () => {
  await using trio = await Trio.start([], 3, { keys: "app" });
  await untilListed(trio, [0, 1, 2], "1");
  assert.equal(await isCreated(trio, [0, 1, 2], "lock"), true);
  assert.equal(await isCreated(trio, [0, 1, 2], "lock"), false);
  await trio.endAll();
  await trio.startAll();
  await untilListed(trio, [0, 1, 2], "1");
  assert.equal(await isCreated(trio, [0, 1, 2], "lock"), false);
  await assert.rejects(asOperator(trio, 0, "FOUND"), /there is a list already/);
});

test("the remaining daemon of a pair forces a list of its own, and decides alone", async () => {
  await using trio = await Trio.start([], 2, { keys: "app" });
  await untilListed(trio, [0, 1], "1");
  assert.equal(await isCreated(trio, [0, 1], "lock"), true);
  await assert.rejects(asOperator(trio, 0, "FOUND"), /list already/);
  await assert.rejects(asOperator(trio, 0, "FORCE"), /all members of the list are connected/);

  const lost = await idOf(trio, 1);
  await trio.end(1, "SIGKILL");
  rmSync(trio.folder(1), { recursive: true });
  await trio.until("an order that needs a majority names the one that needs none", async () => {
    const report = await asOperator(trio, 0, "REMOVE", lost);
    return /only 1 of 2 are connected.*dbsync members force/.test(String(report.get("waits-for")));
  });

  await ordersForce(trio, 0);
  await untilListed(trio, [0], "2");
  assert.equal(await isCreated(trio, [0], "lock"), false);
  assert.equal(await isCreated(trio, [0], "other"), true);
});

test("a forced list leaves out only members that the order names, also if another one disconnects", {
  skip: skipUnlessFull,
}, async () => {
  await using trio = await Trio.start([], 4, { keys: "app" });
  await untilListed(trio, [0, 1, 2, 3], "1");
  const ids = await Promise.all(
    trio.ports.map(async (_, index) => String((await asOperator(trio, index)).get("id"))),
  );
  const lost = ids.slice(2);
  await assert.rejects(
    asOperator(trio, 0, "FORCE", ids[0] as string),
    /all members of the list are connected/,
  );
  await Promise.all([2, 3].map((index) => trio.end(index, "SIGKILL")));
  await ordersForce(trio, 0, ...lost);
  await assert.rejects(asOperator(trio, 0, "FORCE", ids[0] as string), /has to be that of another member/);

  // The second daemon restarts before its operator has given the order. The first daemon must not continue alone.
  await trio.end(1, "SIGTERM");
  await trio.until("the first daemon waits for the second one", async () => {
    const waitsFor = String((await asOperator(trio, 0)).get("waits-for"));
    return (
      waitsFor.startsWith("not connected, and not left out by the order") &&
      waitsFor.includes(ids[1]?.slice(0, 12) as string)
    );
  });
  await trio.start(1);
  await ordersForce(trio, 1, ...lost);
  await untilListed(trio, [0, 1], "2");
  assert.equal(await isCreated(trio, [0, 1], "lock"), true);
});

test("a cluster grows from one daemon by options alone, and keeps what it had", async () => {
  let size = 1;
  const peersOf = (index: number) => {
    const others = trio.ports.slice(0, size).filter((_, other) => other !== index);
    const peers = others.flatMap((port) => ["--peer", `127.0.0.1:${port}`]);
    return peers.length === 0 ? [] : [...peers, ...knowsSecret];
  };
  const trio: Trio = await Trio.make((index) => peersOf(index), 3, { keys: "app", arePeers: false });
  await using _ = trio;
  await trio.start(0);
  assert.equal(await isCreated(trio, [0], "lock"), true);

  for (size = 2; size <= amount(2, 3); size++) {
    for (const index of trio.runningIndices) await trio.end(index, "SIGTERM");
    for (let index = 0; index < size; index++) await trio.start(index);
    const indices = [...Array(size).keys()];
    await untilListed(trio, indices, String(size - 1));
    // A new member cannot vote before it has the data.
    await trio.until("the lock is still there", async () => !(await isCreated(trio, indices, "lock")));
    assert.equal(await isCreated(trio, indices, `lock ${size}`), true);
  }
});

/** Returns the id of a daemon, 64 hexadecimal digits. */
const idOf = async (trio: Trio, index: number): Promise<string> =>
  String((await asOperator(trio, index)).get("id"));

test("a daemon with an empty folder replaces the member at its address by one order", {
  skip: skipUnlessFull,
}, async () => {
  await using trio = await Trio.start([], 3, { keys: "app" });
  await untilListed(trio, [0, 1, 2], "1");
  assert.equal(await isCreated(trio, [0, 1, 2], "lock"), true);
  const lost = await idOf(trio, 2);
  await trio.end(2, "SIGKILL");
  rmSync(trio.folder(2), { recursive: true });
  await trio.start(2);
  const found = await idOf(trio, 2);
  await trio.until("the new daemon is found", async () => {
    const report = await asOperator(trio, 0);
    return String(report.get("waits-for")).includes(found.slice(0, 12));
  });
  await asOperator(trio, 0, "REPLACE", lost, found);
  await untilListed(trio, [0, 1, 2], "2");
  assert.equal(await isCreated(trio, [0, 1, 2], "lock"), false);
});

test("after all folders were lost, daemons restored from one backup have what the members had decided", {
  skip: skipUnlessFull,
}, async () => {
  const all = [0, 1, 2];
  const assertLocked = async (index: number) =>
    await trio.until(`daemon ${index} has the lock`, async () => {
      await using client = trio.client([index]);
      return (await client.call("GET lock")) === "me";
    });

  await using trio = await Trio.start([], 3, { keys: "app" });
  await untilListed(trio, all, "1");
  assert.equal(await isCreated(trio, all, "lock"), true);
  using folder = new ScratchFolder();
  const file = join(folder.path, "monday.dbsync");
  const backup = await runDbsync(["backup", "--data", trio.folder(0), file]);
  assert.equal(backup.code, 0, backup.stderr);
  const restore = async (index: number) => {
    rmSync(trio.folder(index), { recursive: true });
    const { code, stderr } = await runDbsync(["restore", file, "--data", trio.folder(index)]);
    assert.equal(code, 0, stderr);
  };

  await trio.endAll();
  for (const index of all) await restore(index);
  await trio.startAll();
  await untilListed(trio, all, "1");
  for (const index of all) await assertLocked(index);
  assert.equal(await isCreated(trio, all, "lock"), false);
  assert.equal(await isCreated(trio, all, "other"), true);

  // A daemon that replaces a lost one later begins with the same backup, too.
  const lost = await idOf(trio, 2);
  await trio.end(2, "SIGKILL");
  await restore(2);
  await trio.start(2);
  await trio.until("the order to replace the lost daemon is accepted", async () => {
    const report = await asOperator(trio, 0, "REPLACE", lost, await idOf(trio, 2)).catch(() => null);
    return report !== null;
  });
  await untilListed(trio, all, "2");
  await assertLocked(2);
  await trio.until("it receives the later decision", async () => {
    await using client = trio.client([2]);
    return (await client.call("GET other")) === "me";
  });
});

test("a member that is down, and that the options no longer name, is removed by one order", {
  skip: skipUnlessFull,
}, async () => {
  const isNamed = [true, true, true];
  const peersOf = (index: number) => {
    const others = trio.ports.filter((_, other) => other !== index && isNamed[other]);
    return [...others.flatMap((port) => ["--peer", `127.0.0.1:${port}`]), ...knowsSecret];
  };

  const trio: Trio = await Trio.make((index) => peersOf(index), 3, { keys: "app", arePeers: false });
  await using _ = trio;
  await trio.startAll();
  await untilListed(trio, [0, 1, 2], "1");

  const removed = await idOf(trio, 2);
  await asOperator(trio, 0, "REMOVE", removed);
  await trio.until("it is refused", async () => {
    const report = await asOperator(trio, 0);
    return String(report.get("waits-for")).includes("or stop it first");
  });

  await trio.end(2, "SIGTERM");
  await trio.until("the remaining member does not agree yet", async () => {
    const report = await asOperator(trio, 0);
    return String(report.get("waits-for")).includes("not announced yet");
  });

  isNamed[2] = false;
  await trio.end(1, "SIGTERM");
  await trio.start(1);
  await untilListed(trio, [0, 1], "2");

  await trio.start(2);
  await trio.until("the removed daemon is refused", async () => {
    const report = await asOperator(trio, 2);
    return String(report.get("state")) === "not-listed";
  });
});

test("a connected member leaves, loses no acknowledged write, and is added again under a new id", {
  skip: skipUnlessFull,
}, async () => {
  const trio = await Trio.start(["--window", "3,2"], 2, { keys: "app" });
  await using _ = trio;
  await untilListed(trio, [0, 1], "1");
  const left = await idOf(trio, 1);

  const acknowledged: [string[], string[]] = [[], []];
  let isWriting = true;
  const write = async (index: 0 | 1) => {
    await using client = trio.client([index]);
    for (let count = 0; isWriting; count++) {
      const name = `${index} ${count}`;
      const answer = await client.call(["SADD", "written", name]).catch(() => null);
      if (answer === 1) acknowledged[index].push(name);
    }
  };
  const writing = Promise.all([write(0), write(1)]);
  await trio.until("both acknowledge writes", async () => acknowledged.every((names) => names.length > 10));

  await asOperator(trio, 1, "REMOVE", left);
  await trio.until("it has left", async () => {
    const report = await asOperator(trio, 1);
    return String(report.get("refusal")).includes("handed over all its writes");
  });

  isWriting = false;
  await writing;
  await untilListed(trio, [0], "2");

  await using client = trio.client([0]);
  const written = new Set((await client.call(["SMEMBERS", "written"])) as string[]);
  assert.deepEqual(
    acknowledged.flat().filter((name) => !written.has(name)),
    [],
  );

  await trio.end(1, "SIGTERM");
  const joined = await runDbsync(["members", "join", "--data", trio.folder(1), "--yes"]);
  assert.equal(joined.code, 0, joined.stderr);
  assert.doesNotMatch(joined.stdout, /dead letter/);

  await trio.start(1);
  await untilListed(trio, [0, 1], "3");
  assert.notEqual(await idOf(trio, 1), left);
  await trio.until("it has the data", async () => {
    await using other = trio.client([1]);
    return (await other.call(["SCARD", "written"])) === written.size;
  });
});

test("two lists without a common member stay two until one group joins the other", {
  skip: skipUnlessFull,
}, async () => {
  let areJoined = false;
  const peersOf = (index: number) => {
    const others = [...trio.ports.keys()].filter(
      (other) => other !== index && (areJoined || Math.floor(other / 2) === Math.floor(index / 2)),
    );
    return [...others.flatMap((other) => ["--peer", `127.0.0.1:${trio.ports[other]}`]), ...knowsSecret];
  };
  const trio: Trio = await Trio.make((index) => peersOf(index), 4, { keys: "app", arePeers: false });
  await using _ = trio;
  await trio.startAll();
  await untilListed(trio, [0, 1], "1");
  await untilListed(trio, [2, 3], "1");
  await trio.endAll();
  areJoined = true;
  await trio.startAll();
  await untilListed(trio, [0, 1], "1");
  await untilListed(trio, [2, 3], "1");
  assert.equal(await isCreated(trio, [0, 1], "lock"), true);
  assert.equal(await isCreated(trio, [2, 3], "lock"), true);
  for (const index of [0, 1, 2, 3])
    await trio.until("each daemon names the command", async () => {
      const report = await asOperator(trio, index);
      return String(report.get("waits-for")).includes("dbsync members join");
    });

  const join = (index: number, ...more: readonly string[]) =>
    runDbsync(["members", "join", "--data", trio.folder(index), ...more]);
  const refused = await join(2, "--yes");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is in use by process \d+.*Stop|dbsync/);
  for (const index of [2, 3]) await trio.end(index, "SIGTERM");
  const shown = await join(2);
  assert.equal(shown.code, 1);
  assert.match(shown.stdout, /The daemon leaves list 1.*\n.*\n.*\nIts \d+ envelopes, the last one of /);
  for (const index of [2, 3]) {
    const { code, stdout, stderr } = await join(index, "--yes");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\d+ new dead letters/);
    assert.equal((await join(index, "--yes")).code, 0, "it may be repeated");
    await trio.start(index);
  }
  await trio.until("all use one list", async () => {
    const reports = await Promise.all([0, 1, 2, 3].map((index) => asOperator(trio, index)));
    const numbers = reports.map((report) => numbersOf(report.get("lists")).join());
    return (
      new Set(numbers).size === 1 &&
      Number(numbers[0]) >= 2 &&
      reports.every(
        (report) =>
          Number(report.get("reporting")) === 1 && /(member .*\n){4}/.test(String(report.get("lists"))),
      )
    );
  });
  assert.equal(await isCreated(trio, [0, 1, 2, 3], "lock"), false);
  const { stdout } = await runDbsync(["dead-letters", "list", "--data", trio.folder(2)]);
  assert.match(stdout, /joined/);
});

test("a client that was connected before the list was founded asks for decisions afterwards", async () => {
  await using trio = await Trio.make([], 2, { keys: "app" });
  await trio.start(0);
  await using client = trio.client([0]);
  await trio.until("the first daemon accepts writes", async () => {
    const answer = await client.call(["SET", "before", "1", "NX"]).catch(() => "refused");
    return answer === "OK" || answer === null;
  });
  await trio.start(1);
  await untilListed(trio, [0, 1], "1");
  await trio.end(1, "SIGTERM");
  await trio.until("the client asks for a decision, which one of two members cannot make", async () => {
    const problem = await client.call(["SET", "after", "1", "XX"]).then(String, (error: Error) => error);
    return problem instanceof Error && problem.message.includes("a pair decides only while both run");
  });
});
