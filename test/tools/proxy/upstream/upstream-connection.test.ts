/**
 * Tests one connection to a server: sessions, statements that were certainly not written, and answers that cannot be
 * trusted.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  errorFrame,
  FULL_FRAME,
  messageFrame,
  SqlFrameReader,
} from "../../../../faces/sql/bytes/sql-frames.js";
import {
  NEW_SESSION,
  UpstreamConnection,
  type UpstreamLimits,
} from "../../../../tools/proxy/upstream/upstream-connection.js";
import { freePort } from "../../../support/free-port.js";
import { type Answering, FakeSqlServer, pageOf } from "../sql-server.js";
import { environment, limitsOf, placeAt, shown } from "./parts.js";

const CHOSEN = messageFrame("Ny tahiry : toko dia miasa ankehitriny");
const toko = { ...NEW_SESSION, database: "toko" };

function connectionTo(port: number, limits: Partial<UpstreamLimits> = {}): UpstreamConnection {
  return new UpstreamConnection({
    serverAddress: placeAt(port),
    limits: limitsOf(limits),
    setTimer: environment.setTimer,
    facts: { hasErred: false },
    held() {},
    disconnected() {},
  });
}

async function withServer(
  answering: Answering,
  run: (connection: UpstreamConnection, server: FakeSqlServer) => Promise<void>,
  limits: Partial<UpstreamLimits> = {},
): Promise<void> {
  await using server = await FakeSqlServer.start(answering);
  const connection = connectionTo(server.port, limits);
  try {
    await run(connection, server);
  } finally {
    connection.close();
  }
}

test("a session is set up once, before its statement", async () => {
  const session = { login: "login ada secret", pages: "pages 5", database: "toko" };
  await withServer(
    ({ statement }) => (statement.startsWith("ampiasao") ? CHOSEN : messageFrame(`did ${statement}`)),
    async (connection, server) => {
      assert.equal(shown(await connection.execute(session, "alaivo 2")), messageFrame("did alaivo 2"));
      assert.equal(shown(await connection.execute(session, "alaivo 3")), messageFrame("did alaivo 3"));
      assert.deepEqual(server.statements, [
        "login ada secret",
        "pages 5",
        "ampiasao toko",
        "alaivo 2",
        "alaivo 3",
      ]);
      assert.equal(connection.preparationFor({ ...session, database: "other" }), "needs-use");
      assert.equal(connection.preparationFor({ ...session, database: "" }), "none");
      assert.equal(connection.preparationFor({ ...session, login: "login ben secret" }), "none");
      assert.match(shown(await connection.execute(toko, "alaivo 4")), /^unsuited, reached: no/);
    },
  );
});

test("the refusal of a USE becomes the answer to the following statement, which is not sent", async () => {
  const refusal = errorFrame("Tsy misy ny tahiry : toko");
  await withServer(
    () => refusal,
    async (connection, server) => {
      assert.equal(shown(await connection.execute(toko, "fafao ao@ t")), refusal);
      assert.deepEqual(server.statements, ["ampiasao toko"]);
      assert.ok(connection.isClosed);
    },
  );
});

test("a session uses the database that the server reports, however USE was written", async () => {
  await withServer(
    ({ statement }) => (/toko/.test(statement) ? CHOSEN : messageFrame("done")),
    async (connection, server) => {
      await connection.execute(NEW_SESSION, "#ampiasao@ toko");
      assert.equal(connection.preparationFor(toko), "ready");
      await connection.execute(toko, "fafao ao@ t");
      assert.deepEqual(server.statements, ["#ampiasao@ toko", "fafao ao@ t"]);
      // A server that refuses a USE may then refuse all statements.
      await connection.execute(toko, "ampiasaonothing");
      assert.ok(connection.isClosed);
    },
  );
});

test("a refused connection or session means that the server has not received the statement", async () => {
  const nobody = connectionTo(await freePort());
  assert.equal(shown(await nobody.execute(NEW_SESSION, "x")), "connect, reached: no");
  await using server = await FakeSqlServer.start();
  server.welcome = (socket) => socket.end(FULL_FRAME);
  assert.equal(shown(await connectionTo(server.port).execute(NEW_SESSION, "x")), "busy, reached: no");
});

test("a statement that was sent and not answered may have been executed", async () => {
  await withServer(
    ({ socket }) => {
      socket.destroy();
      return null;
    },
    async (connection) =>
      assert.equal(shown(await connection.execute(NEW_SESSION, "x")), "lost, reached: unknown"),
  );
  await withServer(
    () => null,
    async (connection) =>
      assert.equal(shown(await connection.execute(NEW_SESSION, "x")), "timeout, reached: unknown"),
    { replyTimeout: 50 },
  );
  // If the statement was still waiting for a USE, it was not sent.
  await withServer(
    () => null,
    async (connection) => assert.equal(shown(await connection.execute(toko, "x")), "timeout, reached: no"),
    { replyTimeout: 50 },
  );
});

test("invalid, too long or unrequested answers end the connection", async () => {
  const cases: [string, RegExp, Partial<UpstreamLimits>][] = [
    ["HTTP/1.1 400 Bad Request\r\n\r\n", /^garbage/, {}],
    [pageOf("x".repeat(3000)), /^too-long/, { maxReplyBytes: 2048 }],
    [`RESULT_MESSAGE\n${"x".repeat(3000)}`, /^too-long/, { maxReplyBytes: 2048 }],
  ];
  for (const [answer, due, limits] of cases)
    await withServer(
      () => answer,
      async (connection) => {
        assert.match(shown(await connection.execute(NEW_SESSION, "x")), due);
        assert.ok(connection.isClosed);
      },
      limits,
    );
  for (const more of [messageFrame("second"), "RESULT"])
    await withServer(
      () => messageFrame("first") + more,
      async (connection) => {
        assert.equal(shown(await connection.execute(NEW_SESSION, "x")), messageFrame("first"));
        assert.ok(connection.isClosed, more);
      },
    );
});

test("a text that a server would parse as several or incomplete statements is not sent", async () => {
  const original: Answering = ({ statement }) =>
    statement.startsWith("pages") ? errorFrame("Commande valide non trouvé") : pageOf("x");
  await withServer(original, async (connection, server) => {
    assert.equal(shown(await connection.execute(NEW_SESSION, "alaivo 'a;b'")), "unsuited, reached: no");
    assert.equal(shown(await connection.execute(NEW_SESSION, "alaivo 'a")), "unsuited, reached: no");
    await connection.execute(NEW_SESSION, "alaivo\n'a\nEND\n'");
    assert.deepEqual(server.statements, ["pages 20", "alaivo 'a\\nEND\\n'"]);
  });
  await withServer(
    () => messageFrame("done"),
    async (connection, server) => {
      await connection.execute(NEW_SESSION, "alaivo\n'a;b'");
      assert.deepEqual(server.statements, ["pages 20", "alaivo\n'a;b'"]);
    },
  );
});

for (const method of ["push", "next"] as const)
  test(`an exception in ${method} of the answer reader ends only its connection`, async (context) => {
    const fail = (): never => {
      throw new TypeError("Cannot read properties of null");
    };
    await withServer(
      ({ statement }) => messageFrame(`did ${statement}`),
      async (connection) => {
        const fault = context.mock.method(SqlFrameReader.prototype, method, fail);
        const outcome = await connection.execute(NEW_SESSION, "alaivo 1");
        fault.mock.restore();
        assert.match(shown(outcome), /^garbage, reached: unknown/);
        assert.match(
          outcome.kind === "failed" ? outcome.detail : "",
          /an error in this program: TypeError: Cannot/,
        );
        assert.ok(connection.isClosed);
      },
    );
  });
