import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "../../../client/public-api.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { startCluster } from "../cli/cluster.js";

test("log, blame and get --at preserve bytes that are not text", async () => {
  using folder = makeFolder();
  await using cluster = await startCluster(1, ["--data", folder.path]);
  const { servers } = cluster.daemons;
  const value = Buffer.from([0, 0xff, 0x80, 0x41]);
  {
    await using client = createClient({ servers, key: join(cluster.folder, "app.pem") });
    await client.call(["SET", "k", value]);
  }

  const outputOf = async (...words: string[]) => {
    const { code, stdout, stderr } = await cluster.run([...words, "-k", "root.pem"]);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  const base64 = value.toString("base64");
  for (const words of [["log"], ["blame", "k"]]) {
    assert.match(await outputOf(...words), / SET k "\\x00\\xff\\x80A"/);
    const { units } = JSON.parse(await outputOf(...words, "--json")) as {
      units: readonly { commands: unknown }[];
    };
    assert.deepEqual(units[0]?.commands, [["SET", "k", { base64 }]]);
  }

  const at = String(Date.now());
  assert.equal(await outputOf("get", "--at", at, "k"), '"\\x00\\xff\\x80A"\n');
  assert.deepEqual(
    (JSON.parse(await outputOf("get", "--at", at, "--json", "k")) as { value: unknown }).value,
    {
      base64,
    },
  );
});
