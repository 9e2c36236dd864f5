/**
 * Tests a daemon on a disk with less free space than --min-disk-free: `dbsync status` reports it, and writes
 * continue.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runDbsync } from "../../client/child.js";
import { until } from "../../support/until.js";
import { startCluster } from "../../tools/cli/cluster.js";
import { makeFolder } from "./replicas.js";

for (const [limit, isLow] of [
  ["1048576GiB", true],
  ["0", false],
] as const)
  test(`status reports ${isLow ? "a" : "no"} nearly full disk at --min-disk-free ${limit}`, async () => {
    using folder = makeFolder();
    await using cluster = await startCluster(1, ["--data", folder.path, "--min-disk-free", limit]);
    const words = ["-s", cluster.daemons.servers, "-k", `${cluster.folder}/root.pem`];
    const status = () => runDbsync(["status", ...words]);
    const known = async () => {
      const { stdout } = await runDbsync(["status", "--json", ...words]);
      return /"diskFree":\d+,"diskSize":\d+/.test(stdout);
    };

    await until("the daemon knows the size of its disk", known);
    const { code, stdout } = await status();
    assert.equal(code, isLow ? 1 : 0, stdout);
    const warning =
      /^WARN {2}127\.0\.0\.1:\d+: its disk is nearly full: \d+ of \d+ MiB are free; free space there/m;
    if (isLow) assert.match(stdout, warning);
    else assert.doesNotMatch(stdout, /nearly full/);

    // A warning does not go away by waiting, so --wait prints it and ends.
    const waited = await runDbsync(["status", "--wait", "0", ...words]);
    assert.deepEqual([waited.code, warning.test(waited.stdout)], [0, isLow], waited.stdout);
    const set = await runDbsync(["send", ...words, "SET", "k", "v"]);
    assert.equal(set.stdout, "OK\n", set.stderr);
  });
