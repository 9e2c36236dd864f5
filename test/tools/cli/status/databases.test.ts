/** Tests `dbsync status` and `dbsync top` of daemons in front of a Redis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startRedis } from "../../../support/redis-server.js";
import { until } from "../../../support/until.js";
import { startCluster } from "../cluster.js";

test("dbsync status reports a database that goes down, to administrators and to other users", async () => {
  const redis = await startRedis();
  try {
    await using cluster = await startCluster(1, ["-d", `redis:127.0.0.1:${redis.port}`]);
    const asRoot = () => cluster.run(["status", "-k", "root.pem"]);
    await until("there are no problems", async () => (await asRoot()).code === 0);
    const well = await asRoot();
    assert.match(well.stdout, /^FIGURES OF +SOFTWARE +UPTIME +KEYS +MEMORY /m);
    assert.match(
      well.stdout,
      /^127\.0\.0\.1:\d+ +\d+\.\d+\.\d+ +\d+ s +- +\d+\.\d MB /m,
      "the keys are in the database, so the daemon shows no number",
    );
    await redis.stop();
    const down = new RegExp(`its database redis:127.0.0.1:${redis.port} is down; start it`);
    await until("the status names the database", async () => down.test((await asRoot()).stdout));
    const { code, stdout } = await asRoot();
    assert.equal(code, 1);
    assert.match(stdout, /^127\.0\.0\.1:\d+ .* no database /m);
    const app = await cluster.run(["status", "-k", "app.pem"]);
    assert.equal(app.code, 1);
    assert.match(app.stdout, /: its database is down; start it/);
    const shown = await cluster.run(["top", "--rounds", "1", "-k", "root.pem"]);
    assert.equal(shown.code, 1);
    assert.match(shown.stdout, /^127\.0\.0\.1:\d+ +no database +- +- +- +\d+\.\d MB /m);
  } finally {
    await redis.stop();
  }
});
