/** Tests --data: what a daemon stores across restarts, and which folders it refuses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noTimeline, openDataFolder, unusableBecause } from "../../../../daemon/engine/trust/data-folder.js";
import { StartError } from "../../../../daemon/net/process/service.js";
import { bulk, integer, OK } from "../../../../protocol/reply.js";
import { knowsSecret } from "../../../support/cluster-secret.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { refusingAddress } from "../../../support/free-port.js";
import { until } from "../../../support/until.js";
import { makeFolder, settingsFrom, startReplica } from "../../program/replicas.js";

const app = makeKeyPair();
const root = makeKeyPair();
const other = makeKeyPair();

test("acknowledged writes exist after a restart, and a repeated envelope is applied only once", async () => {
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
    const answer = await client.exchange(frame);
    assert.deepEqual(answer.kind === "result" && answer.replies, [integer(1), OK]);
  }

  await using second = await startReplica({ args });
  using client = await EnvelopeClient.open(second.port, app);
  assert.equal((await client.hello()).daemon, id, "the daemon has the same id");
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

test("added keys exist after a restart, and a revoked key stays excluded", async () => {
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
  const answer = await revoked.ask([["SET", "k", "w"]]);
  assert.equal(answer.kind === "refused" && answer.code, "revoked");
});

test("only the daemon's user can read the folder's key", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "data");
  await using _ = await startReplica({ args: ["-s", app.file, "--data", path] });
  assert.deepEqual(readdirSync(path).sort(), ["daemon.pem", "snapshots", "timeline"]);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, "daemon.pem")).mode & 0o777, 0o600);
});

test("a start with keys that differ from those of the folder is refused, and the error names the remedy", async () => {
  using folder = makeFolder();
  const common = ["--data", folder.path];
  await using _ = await startReplica({ args: ["-s", app.file, ...common] }).then(async (daemon) => {
    await daemon.daemon.stop();
    return daemon;
  });
  const cases: readonly [args: string[], said: RegExp][] = [
    [["-s", other.file], /-s no longer contains key [\da-f]{64}; -s additionally contains key [\da-f]{64}/],
    [["-s", app.file, "--root-key", root.file], /--root-key additionally contains key [\da-f]{64}/],
    [["-s", app.file, "--cluster-name", "x"], /--cluster-name was dbsync, and is x now/],
  ];
  for (const [args, answer] of cases) {
    await assert.rejects(startReplica({ args: [...args, ...common] }), (problem) => {
      assert.ok(problem instanceof StartError, String(problem));
      assert.match(problem.message, answer);
      assert.match(problem.message, /dbsync keys add FILE, dbsync keys revoke ID/);
      return true;
    });
  }
});

test("a reloaded configuration may name other peers, but no other keys", async () => {
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
  await until("the daemons are members of each other", async () => (await client.hello()).members === 1);
  assert.deepEqual(await client.replies([["SET", "k", "v"]]), [OK]);

  using reader = await EnvelopeClient.open(second.port, app);
  await until(
    "the other daemon has the write",
    async () => (await reader.replies([["GET", "k"]]))[0]?.kind === "bulk",
  );

  const restart = daemon.log.filter(({ msg }) => /applies until a restart/.test(msg)).map(({ name }) => name);
  assert.deepEqual(restart, ["v1"]);
  await assert.rejects(
    daemon.daemon.reload(settingsFrom([...args, ...at, "-s", other.file, "--peer", peer, ...knowsSecret])),
    /a timeline keeps the keys that it was created with.*dbsync keys add and dbsync keys revoke/,
  );
});

test("a folder that another daemon uses is refused", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path];
  await using _ = await startReplica({ args });
  await assert.rejects(startReplica({ args }), /in use/);
});

test("a file in place of the folder, and a damaged key, are refused", async () => {
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

test("a folder is created with its parents, and one that cannot be created is refused", async () => {
  using folder = makeFolder();
  const deep = join(folder.path, "some", "where", "below");
  openDataFolder(deep);
  assert.equal(openDataFolder(`${deep}/`).id, openDataFolder(deep).id);
  // This runs in a separate process, because a test cannot wait for an endless loop.
  const module = fileURLToPath(new URL("../../../../daemon/engine/trust/data-folder.js", import.meta.url));
  const open = `import(${JSON.stringify(module)}).then(({ openDataFolder }) => openDataFolder(process.argv[1]))`;
  for (const path of ["/proc/dbsync", "/proc/dbsync/data", "/dev/null/data"]) {
    const result = spawnSync(process.execPath, ["-e", open, path], {
      encoding: "utf8",
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    assert.match(
      result.stderr,
      /--data .*: it (is not a folder|cannot be used \(\w+: .+\)). Correct --data/,
      path,
    );
  }
});

test("only the hello of a daemon with a timeline contains the number of peers", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  using client = await EnvelopeClient.open(daemon.port, app);
  assert.equal((await client.hello()).members, 0);
  await using plain = await startReplica({ args: ["-s", app.file] });
  using plainClient = await EnvelopeClient.open(plain.port, app);
  assert.equal((await plainClient.hello()).members, null);
});

test("a write for one daemon is refused, but a read is not", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: ["-s", app.file, "--data", folder.path] });
  using client = await EnvelopeClient.open(daemon.port, app);
  const only = (await client.hello()).daemon;
  const answer = await client.ask([["SET", "k", "v"]], { only });
  assert.equal(answer.kind === "refused" && `${answer.code} ${answer.effect}`, "only-for-reads not-applied");
  assert.equal((await client.ask([["GET", "k"]], { only })).kind, "result");
});

test("an envelope without permitted commands is answered and not recorded", async () => {
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
  assert.ok(denied.newest.at < before, "no newer date was applied");

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
  assert.match(noTimeline(file), /^it is a file\. Specify the folder of a daemon\.$/);
  assert.match(noTimeline(folder.path), /^there is no timeline in it/);
});

test("an unusable folder is reported with the reason, and on a full disk with the remedy for it", () => {
  for (const code of ["ENOSPC", "EDQUOT"])
    assert.match(
      unusableBecause(Object.assign(new Error(), { code })),
      new RegExp(`^the disk is full \\(${code}\\)\\. Free space on it`),
    );
  const because = (code: string) => unusableBecause(Object.assign(new Error(), { code }));
  const remedy = "Correct --data, or the folder's rights.";
  assert.equal(because("EACCES"), `it cannot be used (EACCES: this user may not write there). ${remedy}`);
  assert.equal(because("EROFS"), `it cannot be used (EROFS: its disk is mounted read-only). ${remedy}`);
});
