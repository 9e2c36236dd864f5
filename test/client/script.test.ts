/** Tests short scripts as child processes: they end without an explicit exit, and their commands arrive. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { refusingAddress } from "../support/free-port.js";
import { until } from "../support/until.js";
import { ENTRY, runScript } from "./child.js";
import { FakeServer } from "./fake-server.js";

/**
 * A limit in milliseconds for a start of Node, a call, and the linger of 500 ms on a busy machine. It is much lower
 * than the timeout of 20 s.
 */
const SOON_MS = 15_000;

const script = (servers: string) => `
  import { dbsyncSend } from ${ENTRY};
  console.log(await dbsyncSend("SET k v", { servers: "${servers}", key: false, timeout: 20000 }));
`;

test("a three-line script prints its answer and ends", async () => {
  await using server = await FakeServer.start();
  const { code, stdout, stderr, ms } = await runScript(script(server.address));
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "OK\n", stderr: "" });
  assert.ok(ms < SOON_MS, `${ms} ms`);
});

test("a three-line script ends even if its daemons hang or are unreachable", async () => {
  await using good = await FakeServer.start();
  await using hung = await FakeServer.start("hang");
  const { code, stdout, ms } = await runScript(
    script(`${hung.address},${good.address},${await refusingAddress()}`),
  );
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "OK\n" });
  assert.ok(ms < SOON_MS, `${ms} ms`);
  assert.deepEqual(hung.commands, ["SET k v"]);
});

test("a script that ends after its await has also sent its commands to slower daemons", async () => {
  await using quick = await FakeServer.start();
  await using slow = await FakeServer.start("answer late");
  slow.lateMs = 50;
  await runScript(`
    import { dbsyncSend } from ${ENTRY};
    const options = { servers: "${quick.address},${slow.address}", key: false };
    for (const n of [1, 2, 3]) await dbsyncSend("SET k " + n, options);
  `);
  await until("the slow daemon to receive everything", () => slow.requests.length === 3);
  assert.deepEqual(slow.commands, ["SET k 1", "SET k 2", "SET k 3"]);
});

test("a script with one hung daemon lives until its deadline, and then receives the error", async () => {
  await using hung = await FakeServer.start("hang");
  const { code, stdout } = await runScript(`
    import { dbsyncSend } from ${ENTRY};
    const options = { servers: "${hung.address}", key: false, timeout: 300 };
    await dbsyncSend("PING", options).catch((e) => console.log(e.code));
  `);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "all-failed\n" });
});

test("dbsyncReset interrupts calls in flight with an error that says so, and the next call works", async () => {
  await using hung = await FakeServer.start("hang");
  await using good = await FakeServer.start();
  const { stdout } = await runScript(`
    import { dbsyncSend, dbsyncReset } from ${ENTRY};
    const show = (error) => console.log(error.code, error.message.split("\\n")[0]);
    const call = dbsyncSend("PING", "${hung.address}").catch(show);
    setTimeout(dbsyncReset, 100);
    await call;
    console.log(await dbsyncSend("PING", "dbsync1://${good.address}"));
    dbsyncReset();
    console.log(await dbsyncSend("PING", "dbsync1://${good.address}"));
  `);
  assert.equal(stdout, "reset The call was interrupted by a reset (PING):\nOK\nOK\n");
  assert.equal(good.accepted, 2);
});

test("defaults are read once until a reset", async () => {
  await using one = await FakeServer.start();
  await using two = await FakeServer.start();
  const folder = await mkdtemp(join(tmpdir(), "dbsync-script-"));
  try {
    writeFileSync(join(folder, "dbsync.ini"), `dbsync.servers = dbsync1://${one.address}\n`);
    const { stdout } = await runScript(
      `
      import { writeFileSync } from "node:fs";
      import { dbsyncSend, dbsyncReset } from ${ENTRY};
      await dbsyncSend("GET a");
      await dbsyncSend("GET b", { timeout: 2000 });
      writeFileSync("dbsync.ini", "dbsync.servers = ${two.address}");
      await dbsyncSend("GET c", { policy: "all-equal" });
      dbsyncReset();
      console.log(await dbsyncSend("GET d"));
    `,
      { folder },
    );
    assert.equal(stdout, "OK\n");
    assert.deepEqual([one.commands, two.commands], [["GET a", "GET b", "GET c"], ["GET d"]]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("mistakes reject with a specific code before anything is sent", async () => {
  const { stdout } = await runScript(`
    import { dbsyncSend } from ${ENTRY};
    const show = (error) => console.log(error.name, error.code);
    await dbsyncSend("GET k", { key: "/nonexistent/k.pem" }).catch(show);
    await dbsyncSend("GET k", { server: "a" }).catch(show);
    await dbsyncSend(["GET", "a b"], "dbsync1://a:1").catch(show);
    await dbsyncSend("GET k", "a:x").catch(show);
  `);
  assert.deepEqual(stdout.trim().split("\n"), [
    "DbsyncError bad-key",
    "DbsyncError bad-option",
    "DbsyncError bad-command",
    "DbsyncError bad-option",
  ]);
});

test("DBSYNC_DEBUG=1 shows every frame on standard error", async () => {
  await using server = await FakeServer.start();
  const { stderr } = await runScript(script(server.address), { variables: { DBSYNC_DEBUG: "1" } });
  const [hello = "", ...others] = stderr.trim().split("\n");
  assert.ok(hello.startsWith(`dbsync -> ${server.address} `) && hello.includes(": ds2:"), hello);
  assert.deepEqual(others, [
    `dbsync -> ${server.address} 13 bytes: ds:8:SET k v\\x00`,
    `dbsync <- ${server.address} 17 bytes: ds:11:redis:3:OK\\x00`,
  ]);
});

test("importing the client loads neither node-forge nor commander", async () => {
  const { stdout } = await runScript(`
    await import(${ENTRY});
    const { createRequire } = await import("node:module");
    const loaded = Object.keys(createRequire(process.cwd() + "/x.js").cache);
    console.log(loaded.filter((file) => /node-forge|commander/.test(file)).length);
  `);
  assert.equal(stdout, "0\n");
});
