/** The servers with which third-party Redis clients are tested: redis-server, and dbsyncd with the same users. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { startRedis } from "../../../test/support/redis-server.js";

/** No access without a password (`off`), a normal user, and a user with few permissions. */
const USERS = [
  "user default off",
  "user ann on >secret ~* &* +@all",
  "user ben on >word ~ben:* resetchannels -@all +@read",
].join("\n");

export const USER = "ann";
export const PASSWORD = "secret";

export interface ComparedServers extends AsyncDisposable {
  readonly redisPort: number;
  /** The ports of the daemons, with their descriptions. */
  readonly daemonPorts: readonly (readonly [description: string, port: number])[];
}

/**
 * Asserts that a client receives the same answers from redis-server, from a daemon in memory, and from a daemon with a
 * data folder.
 * @param collectAnswers  returns the answers by topic, without values that always differ (dates, order of sets)
 */
export async function assertSameAnswers(
  servers: ComparedServers,
  collectAnswers: (port: number) => Promise<Readonly<Record<string, unknown>>>,
): Promise<void> {
  const expected = await collectAnswers(servers.redisPort);
  assert.ok(Object.keys(expected).length > 0);
  for (const [description, port] of servers.daemonPorts) {
    const answers = await collectAnswers(port);
    for (const [topic, answer] of Object.entries(expected))
      assert.deepEqual(answers[topic], answer, `${topic}, ${description}`);
  }
}

export async function startComparedServers(): Promise<ComparedServers> {
  const folder = makeFolder();
  const users = join(folder.path, "users.acl");
  writeFileSync(users, USERS);

  const redis = await startRedis({ args: ["--aclfile", users] });
  const start = (...args: readonly string[]) => startDaemon(["--resp", "0", "--acl-file", users, ...args]);
  const daemons = {
    "in memory": await start(),
    "with a data folder": await start("-s", makeKeyPair().file, "--data", join(folder.path, "data")),
  };

  const ports = Object.entries(daemons).map(async ([description, daemon]) => {
    const port = await daemon.portOf("Redis clients");
    return [description, port] as const;
  });
  return {
    redisPort: redis.port,
    daemonPorts: await Promise.all(ports),
    async [Symbol.asyncDispose]() {
      const all = [redis, ...Object.values(daemons)];
      await Promise.all(all.map((server) => server[Symbol.asyncDispose]()));
      folder[Symbol.dispose]();
    },
  };
}
