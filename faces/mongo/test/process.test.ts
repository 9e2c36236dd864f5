/** Tests a daemon with --mongo as a process: over TLS, with users, metrics, and reloaded settings. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { writeCertificate } from "../../../test/support/certificate-files.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { freePort } from "../../../test/support/free-port.js";

test("a driver logs in over TLS with SCRAM or PLAIN, and /metrics counts its commands for the listener mongo", async () => {
  using folder = makeFolder();
  const users = join(folder.path, "users.acl");
  writeFileSync(users, "user default off\nuser ann on >secret ~* +@all\n", { mode: 0o600 });
  const { certificate, key } = await writeCertificate(folder.path);
  const [port, admin] = [await freePort(), await freePort()];
  await using _ = await startDaemonHere([
    ...["--mongo", String(port), "--acl-file", users, "--admin", String(admin)],
    ...["--tls-cert", certificate, "--tls-key", key],
  ]);

  for (const mechanism of ["SCRAM-SHA-256", "PLAIN"]) {
    const source = mechanism === "PLAIN" ? "$external" : "admin";
    const search = `tls=true&tlsCAFile=${certificate}&authMechanism=${mechanism}&authSource=${source}`;
    await using client = new MongoClient(`mongodb://ann:secret@localhost:${port}/?${search}`);
    const items = client.db("shop").collection("items");
    await items.insertOne({ by: mechanism });
    assert.equal(await items.countDocuments({ by: mechanism }), 1);
  }

  await using open = new MongoClient(`mongodb://localhost:${port}`, { serverSelectionTimeoutMS: 500 });
  await assert.rejects(open.db("shop").command({ ping: 1 }));

  const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  const [, units = "0"] = /dbsyncd_units_total\{listener="mongo",outcome="ok"\} (\d+)/.exec(metrics) ?? [];
  assert.ok(Number(units) > 8, metrics.match(/.*mongo.*/g)?.join("\n"));
});
