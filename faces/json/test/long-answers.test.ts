/**
 * Tests long answers: the daemon creates them over several turns of the event loop and sends them in pieces, but they
 * show the state at one moment.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import { phpFormOf, phpFormPieces, writeJson } from "../../../protocol/json/json-writer.js";
import { finish, inTurns } from "../../../protocol/steps.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { Pieces } from "../json-listener.js";
import { startJson } from "./scene.js";

test("work that takes longer than a turn yields to other work", async () => {
  let clock = 0;
  const turns: number[] = [];
  function* work(): Generator<void, string> {
    for (let step = 0; step < 10; step++) {
      clock += 2;
      turns.push(otherTurns);
      yield;
    }
    return "done";
  }

  let otherTurns = 0;
  const count = setInterval(() => otherTurns++, 0);
  const answer = inTurns(work(), { uptime: () => clock, soon: setImmediate });
  assert.ok(answer instanceof Promise);
  assert.equal(await answer, "done");
  clearInterval(count);

  assert.equal(turns.slice(0, 3).join(), "0,0,0");
  assert.equal(
    inTurns([][Symbol.iterator]() as unknown as Iterator<void, string>, {
      uptime: () => 0,
      soon: setImmediate,
    }),
    undefined,
  );
});

test("an exception that work throws in a later turn is not lost", async () => {
  let clock = 0;
  function* work(): Generator<void, string> {
    clock = 100;
    yield;
    assert.fail("late");
  }
  await assert.rejects(async () => inTurns(work(), { uptime: () => clock, soon: setImmediate }), /late/);
});

test("pieces fill buffers to the last byte, whatever their lengths", () => {
  for (const size of [1, 2, 3, 7, 64]) {
    const entries = [
      { names: null, texts: ["1", "[2]"] },
      { names: [0, 9, 10, 4294967295, '"n"'], texts: ["1", "22", "333", "4", "5"] },
      { names: null, texts: [] },
    ];
    const texts = ["", "a", "bcd", "", ...entries, "efghijklmnopqrstuvwxyz", "0123456789", ""];
    const pieces = new Pieces(texts);
    const buffer = Buffer.alloc(size);
    let read = "";
    for (let end = pieces.fill(buffer); end > 0; end = pieces.fill(buffer)) {
      assert.ok(end === size || pieces.isEmpty);
      read += buffer.toString("latin1", 0, end);
    }
    const [short, long] = ["1,[2]", '"0":1,"9":22,"10":333,"4294967295":4,"n":5'];
    assert.equal(read, `abcd${short}${long}efghijklmnopqrstuvwxyz0123456789`);
    assert.equal(pieces.left, 0);
  }
});

test("a long answer shows the state at the time of the request, despite concurrent writes", async () => {
  await using server = await startJson();
  using reader = await RawClient.open(server.port);
  using writer = await RawClient.open(server.port);
  const entry = (n: number, text: string) => ({ n, text });
  await ask(writer, { action: "create", document: "d" });

  const stored: unknown[] = [];
  for (let from = 0; from < 80_000; from += 5000) {
    const data = Array.from({ length: 5000 }, (_, at) => entry(from + at, "x".repeat(100)));
    await ask(writer, { action: "insert", document: "d", data });
    stored.push(...data);
  }

  const answers = [ask(reader, { action: "get", document: "d" })];
  const writes = [0, 1, 2, 3].map((id) =>
    ask(writer, { action: "update", document: "d", id, data: { n: -1 } }),
  );
  await Promise.all(writes);

  const { data } = JSON.parse(await (answers[0] as Promise<string>)) as { data: { n: number }[] };
  assert.equal(data.length, stored.length);
  const changed = data.slice(0, 4).map(({ n }) => n);
  // The answer contains each write completely or not at all. If one write is missing, all later ones are too.
  const first = changed.indexOf(changed.find((n) => n !== -1) ?? -1);
  assert.deepEqual(changed.slice(Math.max(first, 0)), first < 0 ? changed : [0, 1, 2, 3].slice(first));
  assert.deepEqual(data.slice(4), stored.slice(4));
});

test("a long text is written in windows with the same result as in one step", () => {
  const window = 64 * 1024;
  const odd = ["/", "é", "😀", "\n", "plain", '"', 1.5, 1e21, 1234567890123456, -0, {}, [], null];
  for (const value of odd) {
    for (let before = window - 40; before < window + 4; before += 3) {
      const text = JSON.stringify({ a: "x".repeat(before), b: value, c: "y".repeat(window) });
      const bytes = bytesOfText(writeJson(parseJson(text)));
      assert.equal(
        finish(phpFormPieces(bytes)).join(""),
        phpFormOf(bytes),
        `${before} before ${String(value)}`,
      );
    }
  }
});

test("long values are returned completely, from one document and from all", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const data = [{ text: "é/".repeat(500_000) }, { text: "short" }, { text: "x".repeat(1_000_000) }];
  for (const document of ["d", "e"]) {
    await ask(client, { action: "create", document });
    const inserted = JSON.parse(await ask(client, { action: "insert", document, data })) as object;
    assert.deepEqual(inserted, { status: "success", data_interted: data });
  }
  const reply = JSON.parse(await ask(client, { action: "get", document: "d" })) as object;
  assert.deepEqual(reply, { status: "success", data });
  await ask(client, { action: "create", document: "empty" });
  const all = JSON.parse(await ask(client, { action: "getall" })) as { documents: object };
  assert.deepEqual(all.documents, { d: data, e: data, empty: [] });
});
