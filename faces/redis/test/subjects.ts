/** The servers with which foreign clients are tested: redis-server, and dbsyncd with the same users. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { startRedis } from "../../../test/support/redis-server.js";

/** A normal user, a user with few permissions, and no access without a password. */
const USERS = [
  "user default off",
  "user ann on >secret ~* &* +@all",
  "user ben on >word ~ben:* resetchannels -@all +@read",
].join("\n");

export const USER = "ann";
export const PASSWORD = "secret";

export interface Subjects extends AsyncDisposable {
  readonly redis: number;
  /** The ports of the daemons, by kind. */
  readonly daemons: readonly (readonly [kind: string, port: number])[];
}

/**
 * Asserts that a client receives the same answers from redis-server, from a daemon in memory, and from a daemon with a
 * data folder.
 * @param talk  returns the answers by topic, without natural differences (dates, order of sets)
 */
export async function assertSameAnswers(
  subjects: Subjects,
  talk: (port: number) => Promise<Readonly<Record<string, unknown>>>,
): Promise<void> {
  const expected = await talk(subjects.redis);
  assert.ok(Object.keys(expected).length > 0);
  for (const [kind, port] of subjects.daemons) {
    const answers = await talk(port);
    for (const [topic, answer] of Object.entries(expected))
      assert.deepEqual(answers[topic], answer, `${topic}, ${kind}`);
  }
}

export async function startSubjects(): Promise<Subjects> {
  const folder = makeFolder();
  const users = join(folder.path, "users.acl");
  writeFileSync(users, USERS);
  const redis = await startRedis({ args: ["--aclfile", users] });
  const start = (...args: readonly string[]) => startDaemon(["--resp", "0", "--acl-file", users, ...args]);
  const daemons = {
    "in memory": await start(),
    "with a data folder": await start("-s", makeKeyPair().file, "--data", join(folder.path, "data")),
  };
  const ports = Object.entries(daemons).map(async ([kind, daemon]) => {
    const port = await daemon.portOf("Redis clients");
    return [kind, port] as const;
  });
  return {
    redis: redis.port,
    daemons: await Promise.all(ports),
    async [Symbol.asyncDispose]() {
      const all = [redis, ...Object.values(daemons)];
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
      folder[Symbol.dispose]();
    },
  };
}
