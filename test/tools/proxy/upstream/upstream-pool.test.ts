/** Tests the connections to one server: their owners, their number, and the waiting statements. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorFrame, messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { NEW_SESSION } from "../../../../tools/proxy/upstream/upstream-connection.js";
import { until } from "../../../support/until.js";
import { FakeSqlServer, pageOf } from "../sql-server.js";
import { poolAt, shown } from "./parts.js";

const inDatabase = (database: string) => ({ ...NEW_SESSION, database });

/** Returns a function that answers statements with the name of their connection's database. */
function databases(): (asked: { statement: string; connection: number }) => string {
  const chosen = new Map<number, string>();
  return ({ statement, connection }) => {
    const [, name] = /^ampiasao (\S+)$/.exec(statement) ?? [];
    if (name === undefined) return pageOf(`${statement} in ${chosen.get(connection) ?? "none"}`);
    chosen.set(connection, name);
    return messageFrame(`Ny tahiry : ${name} dia miasa ankehitriny`);
  };
}

test("many statements share few connections, and each runs in its client's database", async () => {
  await using server = await FakeSqlServer.start(databases());
  const pool = poolAt(server.port, { maxConnections: 3 });
  const names = ["", "a", "b", "c", "d"];
  const asked = Array.from({ length: 100 }, (_, i) => {
    const database = names[i % names.length] as string;
    return pool.execute(inDatabase(database), `alaivo ${i}`).then((outcome) => {
      assert.equal(shown(outcome), pageOf(`alaivo ${i} in ${database || "none"}`));
    });
  });
  assert.equal(pool.connections, 3);
  assert.equal(pool.waiting, 97);
  await Promise.all(asked);
  assert.ok(pool.connections <= 3);
  assert.equal(pool.waiting, 0);
  pool.close();
});

test("logged-in sessions share no connection with other sessions, even if few connections are left", async () => {
  const whose = new Map<number, string>();
  await using server = await FakeSqlServer.start(({ statement, connection }) => {
    const [, name] = /^login (\S+) /.exec(statement) ?? [];
    if (name !== undefined) whose.set(connection, name);
    return pageOf(`${statement} by ${whose.get(connection) ?? "nobody"}`);
  });
  const pool = poolAt(server.port, { maxConnections: 1 });
  for (const name of ["ada", "", "ben", "ada", ""]) {
    const session = name === "" ? NEW_SESSION : { ...NEW_SESSION, login: `login ${name} secret` };
    assert.equal(shown(await pool.execute(session, "x")), pageOf(`x by ${name || "nobody"}`));
  }
  // A manual login belongs to its connection: the next session does not inherit it.
  await pool.execute(NEW_SESSION, "login eve secret");
  assert.equal(shown(await pool.execute(NEW_SESSION, "x")), pageOf("x by nobody"));
  pool.close();
});

test("a statement that waits too long, or finds the queue full, is not sent", async () => {
  await using server = await FakeSqlServer.start(() => null);
  const pool = poolAt(server.port, { maxConnections: 1, maxWaiting: 1, replyTimeout: 100 });
  const asked = [1, 2, 3].map((i) => pool.execute(NEW_SESSION, `alaivo ${i}`));
  const [first, second, third] = (await Promise.all(asked)).map(shown);
  assert.equal(first, "timeout, reached: unknown");
  // When the first statement times out, the second one either receives a connection or itself times out in the queue,
  // since both time limits end at the same moment.
  assert.match(second ?? "", /^(timeout, reached: unknown|busy, reached: no)$/);
  assert.equal(third, "busy, reached: no");
  pool.close();
});

test("the pool limits the total size of concurrent answers", async () => {
  await using server = await FakeSqlServer.start(({ statement, socket }) => {
    if (statement === "small") return pageOf("small");
    socket.write(`RESULT_MESSAGE\n${"x".repeat(60_000)}`);
    return null;
  });
  const limits = { maxReplyBytesTogether: 100_000, maxReplyBytes: 90_000 };
  const pool = poolAt(server.port, limits);
  const large = [1, 2].map((i) => pool.execute(NEW_SESSION, `large ${i}`));
  assert.equal(shown(await Promise.race(large)), "too-long, reached: unknown");
  assert.equal(shown(await pool.execute(NEW_SESSION, "small")), pageOf("small"));
  pool.close();
  assert.ok((await Promise.all(large)).map(shown).includes("closed, reached: unknown"));
});

test("the pool closes idle connections after a while, and uses no connection that the server has closed", async () => {
  await using server = await FakeSqlServer.start();
  const pool = poolAt(server.port, { idleTimeout: 50 });
  await pool.execute(NEW_SESSION, "x");
  await until("the idle connection is closed", () => pool.connections === 0 && server.sockets.size === 0);
  await pool.execute(NEW_SESSION, "y");
  for (const socket of server.sockets) socket.destroy();
  await until("the pool has removed the closed connection", () => pool.connections === 0);
  assert.equal(shown(await pool.execute(NEW_SESSION, "z")), messageFrame("done"));
  pool.close();
  assert.equal(shown(await pool.execute(NEW_SESSION, "z")), "closed, reached: no");
});

test("the pool does not mistake the end of an error with line breaks for another answer", async () => {
  const erred = new Set<number>();
  await using server = await FakeSqlServer.start(({ statement, connection }) => {
    if (statement.startsWith("pages")) return errorFrame("Commande valide non trouvé");
    const forged = erred.has(connection) ? messageFrame("forged") : "";
    if (statement !== "bad") return forged + pageOf(statement);
    erred.add(connection);
    return errorFrame("a text");
  });
  const pool = poolAt(server.port);
  for (let i = 2; i < 5; i++) {
    assert.equal(shown(await pool.execute(NEW_SESSION, "bad")), errorFrame("a text"));
    assert.equal(shown(await pool.execute(NEW_SESSION, `alaivo ${i}`)), pageOf(`alaivo ${i}`));
  }
  pool.close();
});

test("errors close no connections once the server is recognized as a dbsyncd", async () => {
  await using server = await FakeSqlServer.start(({ statement }) =>
    statement.startsWith("pages") ? messageFrame("done") : errorFrame("no such table"),
  );
  const pool = poolAt(server.port);
  for (let i = 0; i < 10; i++) await pool.execute(NEW_SESSION, "bad");
  assert.equal(server.accepted, 2);
  assert.equal(pool.connections, 1);
  pool.close();
});
