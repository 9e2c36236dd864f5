/** Tests a session of `dbsync repl` on a terminal, with real daemons. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemons } from "../../../../daemon/program/testing.js";
import { converse, ReplSession } from "../../../../tools/cli/repl/repl.js";
import { type ClientFlags, openFrom, readSettings } from "../../../../tools/cli/shared/client-options.js";
import type { HistoryFile } from "../../../../tools/cli/shared/history-file.js";
import { FakeServer } from "../../../client/fake-server.js";
import { double } from "../../../support/double.js";
import { type Cluster, startCluster } from "../cluster.js";
import { Typist } from "../typist.js";

let cluster: Cluster;
before(async () => (cluster = await startCluster(2)));
after(() => cluster[Symbol.asyncDispose]());

/** Starts a session on a terminal; `talk` resolves when the user ends the session. */
function startSession(flags: ClientFlags) {
  const settings = readSettings(flags);
  const { client } = openFrom(settings);
  const typist = new Typist();
  const kept: string[] = [];
  const history = double<HistoryFile>({ lines: [], add: (line: string) => void kept.push(line) });
  const session = new ReplSession(client, settings);
  const talk = converse(session, history, typist).finally(() => client.close());
  return { typist, kept, talk, session };
}

const signed = (): ClientFlags => ({
  servers: cluster.daemons.servers,
  key: join(cluster.folder, "app.pem"),
});

test("answers have types, SELECT and MULTI work, a quote may span lines, and help describes commands", async () => {
  const { typist, kept, talk, session } = startSession(signed());
  assert.match(session.prompt, /^127\.0\.0\.1:\d+\+1> $/);

  await typist.types("SET a 'two words'\r", "\r\nOK", "> ");
  await typist.types("RPUSH l x y\r", "(integer) 2", "> ");
  await typist.types("LRANGE l 0 -1\r", '1) "x"', '2) "y"', "> ");
  await typist.types("GET nothing\r", "(nil)", "> ");
  await typist.types("LPUSH a 1\r", "(error) WRONGTYPE", "> ");

  await typist.types("SELECT 3\r", "OK", "[3]> ");
  await typist.types("GET a\r", "(nil)", "[3]> ");
  await typist.types("SELECT x\r", "(error) SELECT needs", "[3]> ");
  await typist.types("EXEC\r", "(error) EXEC without MULTI", "[3]> ");

  await typist.types("MULTI\r", "OK", "[3](TX)> ");
  await typist.types("INCR n\r", "QUEUED", "(TX)> ");
  await typist.types("INCR n\r", "QUEUED", "(TX)> ");
  await typist.types("EXEC\r", "1) (integer) 1", "2) (integer) 2", "[3]> ");

  await typist.types("MULTI\r", "OK", "(TX)> ");
  await typist.types("INCR n\r", "QUEUED", "(TX)> ");
  await typist.types("DISCARD\r", "OK", "[3]> ");
  await typist.types("GET n\r", '"2"', "[3]> ");

  await typist.types('SET t "one\r', "... ");
  await typist.types('two"\r', "OK", "[3]> ");
  await typist.types("GET t\r", '"one\\ntwo"', "[3]> ");
  await typist.types("\x1b[A\x1b[A", 'SET t "one\\ntwo"');
  await typist.types("\x03", "[3]> ");

  await typist.types("help GET\r", "Returns the string of a key.", "[3]> ");
  await typist.types("help\r", "SELECT n", "[3]> ");
  await typist.types("gete\t", "getex ");
  await typist.types("\x03", "[3]> ");

  await typist.types("AUTH secret\r", "(error)", "[3]> ");
  await typist.types('"auth" secret\r', "(error)", "[3]> ");

  typist.input.write("exit\r");
  await talk;
  assert.ok(kept.includes('SET t "one\\ntwo"') && !kept.includes('two"'), String(kept));
  assert.ok(kept.includes("LRANGE l 0 -1") && !kept.some((line) => line.includes("secret")), String(kept));
});

test("a hint describes a command while it is typed, and disappears at the end of the line", async () => {
  const { typist, talk } = startSession(signed());
  await typist.types("get ", "Returns the string", "\x1b8");
  const shown = await typist.types("a", "Returns the string of a key.", "\x1b8");
  assert.match(shown, /\x1b7[\s\S]*\x1b\[K\x1b8$/);
  assert.match(await typist.types("\r", "> "), /^\x1b\[K/);
  typist.input.write("\x04");
  await talk;
});

test("SELECT 0 selects database 0 even if --db names another database", async () => {
  const { typist, talk } = startSession({ ...signed(), db: 3 });
  await typist.types("SET where three\r", "OK", "[3]> ");
  await typist.types("SELECT 0\r", "OK", "> ");
  await typist.types("GET where\r", "(nil)", "> ");
  await typist.types("SELECT 3\r", "OK", "[3]> ");
  await typist.types("GET where\r", '"three"', "[3]> ");
  await typist.types("DEL where\r", "(integer) 1", "[3]> ");
  typist.input.write("exit\r");
  await talk;
});

test("replies from daemons without keys also have types", async () => {
  await using daemons = await startDaemons(1, { key: false });
  const { typist, talk } = startSession({ servers: daemons.servers, key: "" });
  await typist.types('SET a "1 2"\r', "OK", "> ");
  await typist.types("GET a\r", '\r\n"1 2"', "> ");
  await typist.types("INCR a\r", "(error) ERR value is not an integer", "> ");
  await typist.types("SELECT 1\r", "OK", "[1]> ");
  await typist.types("GET a\r", "(nil)", "[1]> ");
  await typist.types("MULTI\r", "OK", "(TX)> ");
  await typist.types("INCR n\r", "QUEUED", "(TX)> ");
  await typist.types("EXEC\r", "1) (integer) 1", "[1]> ");
  typist.input.write("quit\r");
  await talk;
});

test("values from a daemon of version 1 are texts, and SELECT and MULTI report that they need version 2", async () => {
  await using old = await FakeServer.start();
  const { typist, talk } = startSession({ servers: old.address, key: "" });
  await typist.types("GET a\r", "\r\nOK", "> ");
  await typist.types("SELECT 1\r", "OK", "[1]> ");
  await typist.types("GET a\r", "(error)", "version 2", "[1]> ");
  await typist.types("MULTI\r", "OK", "(TX)> ");
  await typist.types("GET a\r", "QUEUED", "(TX)> ");
  await typist.types("EXEC\r", "(error)", "version-1", "[1]> ");
  typist.input.write("quit\r");
  await talk;
});
