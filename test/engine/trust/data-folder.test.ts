/** Tests --data: what a daemon stores over restarts, and which folders it refuses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noTimeline, openDataFolder } from "../../../engine/trust/data-folder.js";
import { StartError } from "../../../net/process/start-error.js";
import { bulk, integer, OK } from "../../../protocol/reply.js";
import { makeFolder, settingsFrom, startReplica, until } from "../../daemon/replicas.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { refusingAddress } from "../../support/free-port.js";

const app = makeKeyPair();
const root = makeKeyPair();
const other = makeKeyPair();

test("what was acknowledged is there after a restart, and the same envelope is applied once", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path];
  let id: string;
  let frame: string;
  {
    await using first = await startReplica({ args });
    using client = await EnvelopeClient.open(first.port, app);
    id = (await client.hello()).daemon;
    const envelope = client.sign([
      ["INCR", "n"],
      ["SET", "k", "v"],
    ]);
    frame = envelope.frame;
    const said = await client.exchange(frame);
    assert.deepEqual(said.kind === "result" && said.replies, [integer(1), OK]);
  }
  await using second = await startReplica({ args });
  using client = await EnvelopeClient.open(second.port, app);
  assert.equal((await client.hello()).daemon, id, "the daemon is the same");
  assert.deepEqual(
    await client.replies([
      ["GET", "n"],
      ["GET", "k"],
    ]),
    [bulk("1"), bulk("v")],
  );
  const again = await client.exchange(frame);
  assert.equal(again.kind === "refused" && again.code, "answer-not-kept");
  assert.deepEqual(await client.replies([["INCR", "n"]]), [integer(2)]);
});

test("keys that were added are there after a restart, and a revoked one stays out", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--root-key", root.file, "--data", folder.path];
  {
    await using first = await startReplica({ args });
    using client = await EnvelopeClient.open(first.port, root);
    await client.replies([["KEY", "ADD", other.pem, "LABEL", "other"]]);
    await client.replies([["KEY", "REVOKE", Buffer.from(app.id, "latin1").toString("hex")]]);
    const audit = first.log.filter(({ msg }) => msg === "the keys were changed");
    assert.equal(audit.length, 2);
  }
  await using second = await startReplica({ args });
  using added = await EnvelopeClient.open(second.port, other);
  assert.deepEqual(await added.replies([["SET", "k", "v"]]), [OK]);
  using revoked = await EnvelopeClient.open(second.port, app);
  const said = await revoked.ask([["SET", "k", "w"]]);
  assert.equal(said.kind === "refused" && said.code, "revoked");
});

test("the folder's key is for the daemon's user alone", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "data");
  await using _ = await startReplica({ args: ["-s", app.file, "--data", path] });
  assert.deepEqual(readdirSync(path).sort(), ["daemon.pem", "snapshots", "timeline"]);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, "daemon.pem")).mode & 0o777, 0o600);
});

test("a start with other keys than the folder was created with is refused, and says what to do", async () => {
  using folder = makeFolder();
  const common = ["--data", folder.path];
  await using _ = await startReplica({ args: ["-s", app.file, ...common] }).then(async (daemon) => {
    await daemon.daemon.stop();
    return daemon;
  });
  const cases: readonly [args: string[], said: RegExp][] = [
    [["-s", other.file], /key [\da-f]{64} is missing from -s; key [\da-f]{64} is new in -s/],
    [["-s", app.file, "--root-key", root.file], /key [\da-f]{64} is new in --root-key/],
    [["-s", app.file, "--cluster-name", "x"], /--cluster-name was dbsync, and is x now/],
  ];
  for (const [args, said] of cases) {
    await assert.rejects(startReplica({ args: [...args, ...common] }), (problem) => {
      assert.ok(problem instanceof StartError, String(problem));
      assert.match(problem.message, said);
      assert.match(problem.message, /dbsync keys add FILE, dbsync keys revoke ID/);
      return true;
    });
  }
});

test("a configuration that is read again may name other peers, and no other keys", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path];
  await using second = await startReplica({
    args: ["-s", app.file, "--peer", await refusingAddress(), ...knowsSecret],
  });
  await using daemon = await startReplica({ args });
  const peer = `127.0.0.1:${second.port}`;
  const at = ["-p", String(daemon.port)];
  using client = await EnvelopeClient.open(daemon.port, app);
  await daemon.daemon.reload(settingsFrom([...args, ...at, "--v1", "off", "--peer", peer, ...knowsSecret]));
  await until("they are members", async () => (await client.hello()).members === 1);
  assert.deepEqual(await client.replies([["SET", "k", "v"]]), [OK]);
  using reader = await EnvelopeClient.open(second.port, app);
  await until("the other has it", async () => (await reader.replies([["GET", "k"]]))[0]?.kind === "bulk");
  const restart = daemon.log.filter(({ msg }) => /needs a restart/.test(msg)).map(({ name }) => name);
  assert.deepEqual(restart, ["v1"]);
  await assert.rejects(
    daemon.daemon.reload(settingsFrom([...args, ...at, "-s", other.file, "--peer", peer, ...knowsSecret])),
    /a timeline keeps the keys that it was created with.*dbsync keys add and dbsync keys revoke/,
  );
});

test("a folder that another daemon has is refused", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path];
  await using _ = await startReplica({ args });
  await assert.rejects(startReplica({ args }), /in use/);
});

test("a file in the folder's place, and a damaged key, are refused", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "file");
  writeFileSync(file, "");
  await assert.rejects(startReplica({ args: ["-s", app.file, "--data", file] }), /it is not a folder/);
  writeFileSync(join(folder.path, "daemon.pem"), "no key");
  await assert.rejects(
    startReplica({ args: ["-s", app.file, "--data", folder.path] }),
    /the daemon's own key/,
  );
});

test("a folder is made with those above it, and one that cannot be is refused", async () => {
  using folder = makeFolder();
  const deep = join(folder.path, "some", "where", "below");
  openDataFolder(deep);
  assert.equal(openDataFolder(`${deep}/`).id, openDataFolder(deep).id);
  // In a process of its own: a test cannot wait for an endless loop.
  const module = fileURLToPath(new URL("../../../engine/trust/data-folder.js", import.meta.url));
  const open = `import(${JSON.stringify(module)}).then(({ openDataFolder }) => openDataFolder(process.argv[1]))`;
  for (const path of ["/proc/dbsync", "/proc/dbsync/data", "/dev/null/data"]) {
    const made = spawnSync(process.execPath, ["-e", open, path], {
      encoding: "utf8",
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    assert.match(made.stderr, /--data .*: it (is not a folder|cannot be used \(\w+\)). Correct --data/, path);
  }
});

test("a plain daemon answers as before, and a hello of one with a timeline tells the number of its peers", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  using client = await EnvelopeClient.open(daemon.port, app);
  assert.equal((await client.hello()).members, 0);
  await using plain = await startReplica({ args: ["-s", app.file] });
  using plainClient = await EnvelopeClient.open(plain.port, app);
  assert.equal((await plainClient.hello()).members, undefined);
});

test("a write for one daemon alone is refused, a read is not", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  using client = await EnvelopeClient.open(daemon.port, app);
  const only = (await client.hello()).daemon;
  const said = await client.ask([["SET", "k", "v"]], { only });
  assert.equal(said.kind === "refused" && `${said.code} ${said.effect}`, "only-for-reads not-applied");
  assert.equal((await client.ask([["GET", "k"]], { only })).kind, "result");
});

test("what a key may not do at all is answered and not recorded", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({
    args: ["-s", app.file, "--root-key", root.file, "--data", folder.path],
  });
  using administrator = await EnvelopeClient.open(daemon.port, root);
  await administrator.replies([["KEY", "ADD", other.pem, "RULES", "+@all", "-@admin", "~app:*"]]);
  using client = await EnvelopeClient.open(daemon.port, other);
  const before = (await client.hello()).clock;
  const denied = await client.ask([["SET", "x", "v"]]);
  assert.ok(denied.kind === "result" && denied.replies[0]?.kind === "error");
  assert.ok(denied.newest.at < before, "nothing newer was applied");
  const mixed = await client.ask([
    ["SET", "x", "v"],
    ["SET", "app:x", "v"],
  ]);
  assert.ok(mixed.kind === "result");
  assert.deepEqual(
    mixed.replies.map(({ kind }) => kind),
    ["error", "status"],
  );
  assert.ok(mixed.newest.at >= before);
});

test("a path without a timeline is reported as missing, as a file or as another folder", () => {
  using folder = makeFolder();
  const file = join(folder.path, "file");
  writeFileSync(file, "");
  assert.match(noTimeline(join(folder.path, "missing")), /^the folder does not exist/);
  assert.match(noTimeline(file), /^it is a file\. Name the folder of a daemon\.$/);
  assert.match(noTimeline(folder.path), /^there is no timeline in it/);
});
