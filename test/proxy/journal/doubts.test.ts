/** Writes of which nobody knows: found out by what servers hold, carried out once on each, and never lost once acknowledged. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { messageFrame } from "../../../protocol/sql-frames.js";
import { JournalFile } from "../../../proxy/journal/journal-file.js";
import { ReplicationLog } from "../../../proxy/journal/replication-log.js";
import { Replicator } from "../../../proxy/journal/replicator.js";
import type { BalancedServer } from "../../../proxy/servers/balanced-server.js";
import { NEW_SESSION } from "../../../proxy/upstream/session.js";
import { realEnvironment } from "../../../serving/process/environment.js";
import { makeFolder, until } from "../../daemon/replicas.js";
import { keepLog } from "../../support/log-lines.js";
import { type BalancerScene, startBalancer } from "../balancer/scene.js";
import { type Asked, FakeSqlServer, pageOf } from "../sql-server.js";

/** The second form is no statement that the proxy knows. */
const INSERT = /^(?:manampia ao@ t \(k\) sanda \(|apetraho )(\d+)\)?$/;
const SETTLE_MS = 30;

/** A server with one table. */
class Table implements AsyncDisposable {
  readonly rows: number[] = [];
  /** Loses the connection on the next insert, as a server does that dies. */
  loses: "before" | "behind" | null = null;
  /** Refuses every insert. */
  isFull = false;
  readonly server: FakeSqlServer;

  private constructor(server: FakeSqlServer) {
    this.server = server;
    server.answering = (asked) => this.#answer(asked);
  }

  static async start(): Promise<Table> {
    return new Table(await FakeSqlServer.start());
  }

  #answer({ statement, socket }: Asked): string | null {
    const [, row] = INSERT.exec(statement) ?? [];
    if (row === undefined) return this.#read(statement);
    const { loses } = this;
    this.loses = null;
    if (this.isFull) return messageFrame("Hadisoana : full");
    if (loses !== "before") this.rows.push(Number(row));
    if (loses === null) return messageFrame("done");
    socket.destroy();
    return null;
  }

  #read(statement: string): string {
    if (statement === "alaivo * ao@ t") return pageOf(this.rows.join());
    return statement === "asehoy ny tabilao" ? pageOf("t") : messageFrame("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

const start = (tables: readonly Table[], folder: string, mostBytes = 1e9): Promise<BalancerScene> =>
  startBalancer(
    tables.map(({ server: { port } }, i) => ({ id: `s${i}`, port })),
    {
      settings: { journal: { folder, mostBytes }, settleTime: SETTLE_MS },
      upstream: { heartbeatInterval: 20 },
    },
  );

const insert = (row: number) => `manampia ao@ t (k) sanda (${row})`;

/** Waits until each server holds all, or is left alone. */
async function over({ balancer: { servers, replicator } }: BalancerScene): Promise<void> {
  const isOver = (server: BalancedServer) =>
    replicator?.isComplete(server) === true || replicator?.isDiverged(server) === true;
  await until("nothing is left to be done", () => servers.every(isOver));
}

async function assertComplete(scene: BalancerScene): Promise<void> {
  await over(scene);
  const { servers, replicator } = scene.balancer;
  assert.ok(servers.every((server) => replicator?.isComplete(server)));
}

for (const who of ["first", "other"] as const)
  for (const loses of ["before", "behind"] as const)
    test(`the ${who} server is lost ${loses} it has carried out a write: it comes to hold each row once`, async () => {
      using folder = makeFolder();
      await using one = await Table.start();
      await using two = await Table.start();
      await using scene = await start([one, two], folder.path);
      using client = await scene.client();
      assert.equal(await client.told(insert(1)), "done");
      const isOneFirst = (scene.balancer.servers[0]?.answered ?? 0) > 0;
      const victim = (who === "first") === isOneFirst ? one : two;
      victim.loses = loses;
      assert.equal(await client.told(insert(2)), "done", "another server has answered, or does so now");
      for (const row of [3, 4]) assert.equal(await client.told(insert(row)), "done");
      await assertComplete(scene);
      assert.deepEqual(
        [one.rows, two.rows],
        [
          [1, 2, 3, 4],
          [1, 2, 3, 4],
        ],
      );
      assert.ok(!scene.lines.some(({ msg }) => msg.includes("left alone")));
    });

for (const loses of ["before", "behind"] as const)
  test(`a server is lost ${loses} a write while it catches up: it goes on from there`, async () => {
    using folder = makeFolder();
    await using one = await Table.start();
    await using two = await Table.start();
    await using scene = await start([one, two], folder.path);
    using client = await scene.client();
    await two.server.stop();
    await until("it is seen to be down", () => !scene.balancer.servers[1]?.isUp);
    for (const row of [1, 2, 3]) assert.equal(await client.told(insert(row)), "done");
    two.loses = loses;
    await two.server.start();
    await assertComplete(scene);
    assert.deepEqual(
      [one.rows, two.rows],
      [
        [1, 2, 3],
        [1, 2, 3],
      ],
    );
  });

test("the last server is lost behind a write while another, away, is in doubt about an earlier one: both find out", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  await using scene = await start([one, two], folder.path);
  using client = await scene.client();
  two.loses = "behind";
  assert.equal(await client.told(insert(1)), "done");
  await two.server.stop();
  one.loses = "behind";
  assert.match(await client.told(insert(2)), /not known/);
  await two.server.start();
  await assertComplete(scene);
  assert.deepEqual(
    [one.rows, two.rows],
    [
      [1, 2],
      [1, 2],
    ],
  );
});

for (const loses of ["before", "behind"] as const)
  test(`the first server is lost ${loses} a write that is no statement here: it has each row once`, async () => {
    using folder = makeFolder();
    await using one = await Table.start();
    await using two = await Table.start();
    await using scene = await start([one, two], folder.path);
    using client = await scene.client();
    assert.equal(await client.told("apetraho 1"), "done");
    const first = (scene.balancer.servers[0]?.answered ?? 0) > 0 ? one : two;
    first.loses = loses;
    assert.equal(await client.told("apetraho 2"), "done");
    await assertComplete(scene);
    assert.deepEqual(
      [one.rows, two.rows],
      [
        [1, 2],
        [1, 2],
      ],
    );
  });

for (const has of [true, false])
  test(`the balancer was killed before an answer came, and the server ${has ? "has" : "has not"} the write`, async () => {
    using folder = makeFolder();
    await using one = await Table.start();
    await using two = await Table.start();
    const servers = ["s0", "s1"];
    const session = { login: "", pages: "", database: "" };
    const open = { is: "write", n: 1, server: "s0", session, statement: insert(7) };
    const records = [{ is: "base", n: 0, servers }, open];
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    writeFileSync(`${folder.path}/writes.journal`, `${text}{"is":"do`);
    if (has) one.rows.push(7);
    await using scene = await start([one, two], folder.path);
    using client = await scene.client();
    assert.equal(await client.told(insert(8)), "done");
    await assertComplete(scene);
    assert.deepEqual(
      [one.rows, two.rows],
      [
        [7, 8],
        [7, 8],
      ],
    );
  });

test("a server that lacks a write is read from only when it has it", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  await using scene = await start([one, two], folder.path);
  using client = await scene.client();
  await two.server.stop();
  await until("it is seen to be down", () => !scene.balancer.servers[1]?.isUp);
  assert.equal(await client.told(insert(1)), "done");
  await two.server.start();
  for (let i = 0; i < 50; i++) assert.match(await client.ask("alaivo * ao@ t"), /\["1"\]/);
  await assertComplete(scene);
});

test("a server that holds something else is left alone, and told of", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  await using scene = await start([one, two], folder.path);
  using client = await scene.client();
  await two.server.stop();
  await until("it is seen to be down", () => !scene.balancer.servers[1]?.isUp);
  assert.equal(await client.told(insert(1)), "done");
  two.rows.push(99);
  await two.server.start();
  await over(scene);
  await until("it is told", () => scene.lines.some(({ msg }) => msg.includes("s1: it is left alone")));
  assert.equal(await client.told(insert(2)), "done");
  assert.deepEqual(
    [one.rows, two.rows],
    [
      [1, 2],
      [99, 1],
    ],
  );
});

test("when no server that holds all is there, nothing is taken and nothing is read", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  await using scene = await start([one, two], folder.path);
  using client = await scene.client();
  await two.server.stop();
  await until("it is seen to be down", () => !scene.balancer.servers[1]?.isUp);
  assert.equal(await client.told(insert(1)), "done");
  await one.server.stop();
  await until("it is seen to be down", () => !scene.balancer.servers[0]?.isUp);
  await two.server.start();
  await until("it is back", () => scene.balancer.servers[1]?.isUp === true);
  for (const statement of [insert(2), "alaivo * ao@ t"])
    assert.equal(await client.told(statement), "Erreur de connexion backend");
  await one.server.start();
  await assertComplete(scene);
  assert.equal(await client.told(insert(3)), "done");
  await assertComplete(scene);
  assert.deepEqual(
    [one.rows, two.rows],
    [
      [1, 3],
      [1, 3],
    ],
  );
});

for (const loses of ["before", "behind"] as const)
  test(`every server is lost ${loses} a write: nobody knows, and it goes on when all hold the same`, async () => {
    using folder = makeFolder();
    await using one = await Table.start();
    await using two = await Table.start();
    await using scene = await start([one, two], folder.path);
    using client = await scene.client();
    one.loses = loses;
    two.loses = loses;
    assert.match(await client.told(insert(1)), /is not known$/);
    await assertComplete(scene);
    assert.equal(await client.told(insert(2)), "done");
    const due = loses === "before" ? [2] : [1, 2];
    assert.deepEqual([one.rows, two.rows], [due, due]);
  });

test("a server that refuses what another has taken is brought along when it takes it", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  await using scene = await start([one, two], folder.path);
  using client = await scene.client();
  assert.equal(await client.told(insert(1)), "done");
  const other = (scene.balancer.servers[0]?.answered ?? 0) > 0 ? two : one;
  other.isFull = true;
  assert.equal(await client.told(insert(2)), "done");
  await until("it is told", () => scene.lines.some(({ msg }) => msg.startsWith("Erreur réplication sur")));
  assert.equal(await client.told(insert(3)), "done");
  other.isFull = false;
  await assertComplete(scene);
  assert.deepEqual(
    [one.rows, two.rows],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
});

for (const loses of ["before", "behind"] as const)
  test(`the first server is lost ${loses} a write that the next one refuses: it is ${loses === "before" ? "like the others" : "left alone"}`, async () => {
    using folder = makeFolder();
    await using one = await Table.start();
    await using two = await Table.start();
    await using scene = await start([one, two], folder.path);
    using client = await scene.client();
    assert.equal(await client.told(insert(1)), "done");
    const isOneFirst = (scene.balancer.servers[0]?.answered ?? 0) > 0;
    const [first, other] = isOneFirst ? [one, two] : [two, one];
    first.loses = loses;
    other.isFull = true;
    assert.equal(await client.told(insert(2)), "Hadisoana : full");
    other.isFull = false;
    if (loses === "before") await assertComplete(scene);
    else {
      await over(scene);
      await until("it is told", () => scene.lines.some(({ msg }) => msg.includes("left alone")));
    }
    assert.equal(await client.told(insert(3)), "done");
    assert.deepEqual(other.rows, [1, 3]);
    assert.deepEqual(first.rows, loses === "before" ? [1, 3] : [1, 2]);
  });

test("a server that is named anew is left alone: the journal does not reach back to where it is", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  const entry = { is: "base", n: 5, servers: ["s0"] };
  writeFileSync(`${folder.path}/writes.journal`, `${JSON.stringify(entry)}\n`);
  await using scene = await start([one, two], folder.path);
  using client = await scene.client();
  assert.equal(await client.told(insert(1)), "done");
  assert.deepEqual([one.rows, two.rows], [[1], []]);
  const isTold = () =>
    scene.lines.some(({ msg }) => msg.startsWith("Erreur réplication sur s1: it is left alone"));
  await until("it is told", isTold);
});

test("a server that lacks more than the journal may have is left alone, and the journal is made short", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  await using two = await Table.start();
  await using scene = await start([one, two], folder.path, 2000);
  using client = await scene.client();
  await two.server.stop();
  await until("it is seen to be down", () => !scene.balancer.servers[1]?.isUp);
  for (let row = 0; row < 30; row++) assert.equal(await client.told(insert(row)), "done");
  const isTold = () =>
    scene.lines.some(({ msg }) => msg.startsWith("Erreur réplication sur s1: it is left alone"));
  await until("it is told", isTold);
  assert.ok(readFileSync(`${folder.path}/writes.journal`).length < 2500);
});

test("what cannot be written into the journal is not sent, and no write is taken any more", async () => {
  using folder = makeFolder();
  await using one = await Table.start();
  class FullDisk extends JournalFile {
    isFull = false;
    override async sync(): Promise<void> {
      if (this.isFull) throw new Error("ENOSPC");
      await super.sync();
    }
  }
  await using scene = await startBalancer([{ id: "s0", port: one.server.port }]);
  const file = new FullDisk(folder.path);
  const { log, lines } = keepLog("info");
  const { servers } = scene.balancer;
  const replicator = new Replicator({
    ...{ servers, file, log: new ReplicationLog(log), environment: realEnvironment },
    ...{ settleTime: SETTLE_MS, replyTimeout: 1000, mostBytes: 1e9 },
  });
  await replicator.start();
  assert.equal((await replicator.write(NEW_SESSION, insert(1), servers)).kind, "answered");
  file.isFull = true;
  for (const row of [2, 3])
    assert.equal((await replicator.write(NEW_SESSION, insert(row), servers)).kind, "failed");
  assert.deepEqual(one.rows, [1]);
  assert.equal(lines.filter(({ msg }) => msg.startsWith("the journal cannot be written")).length, 1);
  await replicator.stop();
});

test("a journal keeps its records, loses a torn line, and can be made short", async () => {
  using folder = makeFolder();
  const base = { is: "base", n: 3, servers: ["a"] } as const;
  const file = new JournalFile(folder.path);
  assert.deepEqual(await file.open(), []);
  for (const n of [1, 2]) file.append({ is: "applied", n, server: "a" });
  await Promise.all([file.sync(), file.sync()]);
  await file.close();
  const path = `${folder.path}/writes.journal`;
  appendFileSync(path, '{"is":"appl');
  const again = new JournalFile(folder.path);
  assert.equal((await again.open()).length, 2);
  again.append({ is: "applied", n: 3, server: "a" });
  await again.sync();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 4);
  await again.replace([base]);
  again.append({ is: "applied", n: 4, server: "a" });
  await again.close();
  const third = new JournalFile(folder.path);
  assert.deepEqual(await third.open(), [base, { is: "applied", n: 4, server: "a" }]);
  await third.close();
  writeFileSync(path, "nonsense\n");
  await assert.rejects(new JournalFile(folder.path).open(), /--journal .*/);
});
