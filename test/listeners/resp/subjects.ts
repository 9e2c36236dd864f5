/** The servers that other people's clients are tried with: redis-server, and dbsyncd with the same users. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../daemon/replicas.js";
import { startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { startRedis } from "../../support/redis-server.js";

/** Who talks, somebody who may do little, and nobody without a password. */
const USERS = [
  "user default off",
  "user ann on >secret ~* &* +@all",
  "user ben on >word ~ben:* resetchannels -@all +@read",
].join("\n");

export const USER = "ann";
export const PASSWORD = "secret";

interface Subjects extends AsyncDisposable {
  /** The port of redis-server. */
  readonly redis: number;
  /** The ports of daemons, by what they are. */
  readonly daemons: readonly (readonly [kind: string, port: number])[];
}

/**
 * Lets a client talk to redis-server, to a daemon in memory and to one with a data folder: it has to get the same answers.
 * @param talk  what was answered, by topic; where answers differ by nature (dates, order of sets) it makes them equal
 */
export async function assertSameAnswers(
  talk: (port: number) => Promise<Readonly<Record<string, unknown>>>,
): Promise<void> {
  await using subjects = await startSubjects();
  const expected = await talk(subjects.redis);
  assert.ok(Object.keys(expected).length > 0);
  for (const [kind, port] of subjects.daemons) {
    const answers = await talk(port);
    for (const [topic, answer] of Object.entries(expected))
      assert.deepEqual(answers[topic], answer, `${topic}, ${kind}`);
  }
}

async function startSubjects(): Promise<Subjects> {
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
    const { port } = await daemon.logged(({ msg }) => msg === "serving Redis clients");
    return [kind, port as number] as const;
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
