/** Tests that hostile clients and malformed requests receive a clear answer or none, and that the service continues. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { withinStringLimit } from "../messages/json-answers.js";
import { startJson } from "./scene.js";

const LIST = '{"status":"success","documents":[]}';

test("malformed requests receive an error, and the connection continues", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const odd: readonly (readonly [sent: string, expected: RegExp])[] = [
    ["[".repeat(100_000), /Maximum stack depth exceeded/],
    [`{"action":"insert","document":"d","data":[{"x":${"9".repeat(400)}}]}`, /Inf and NaN/],
    ['{"action":"create","document":"\\udc00"}', /Unknown JSON error occured/],
    [`{"action":"list","more":[${"0,".repeat(1_000_000)}0]}`, /More than 1000000 values in one request/],
    [`x${"y".repeat(100_000)}`, /Syntax error, malformed JSON\. <xy{8191}\\u2026>/],
    ['{"action":"list","action":"nope","action":"list"}', /"documents":\[\]/],
    ['{"action":"insert","document":"d","data":{"a":{},"a":1},"auto-increment":false}', /does not exist/],
    ["\xff\xfe", /Malformed UTF-8/],
    ['{"action":"delete","document":"d","id":{}}', /No id provided/],
    ['{"action":"get","document":{}}', /No document provided/],
    ['{"action":"constructor","documents":"d"}', /Unknown action|constructor/],
    ['{"action":"auth","user":"x"}', /No password provided/],
  ];

  for (const [sent, expected] of odd) {
    client.send(`${sent}\n`);
    assert.match(await answer(client), expected);
  }
  assert.equal(await ask(client, { action: "list" }), LIST);
});

test("a browser that another site's page has directed here is disconnected, and its request is not executed", async () => {
  await using server = await startJson();
  const post = '{"action":"create","document":"d"}\n';
  for (const head of ["POST / HTTP/1.1\r\n", "Host: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\n\r\n"]) {
    using client = await RawClient.open(server.port);
    client.send(head + post);
    const refusal = head.startsWith("Host") ? /^$/ : /^HTTP\/1\.1 400 .*--json/s;
    assert.match(await client.rest(), refusal);
  }
  using client = await RawClient.open(server.port);
  assert.equal(await ask(client, { action: "list" }), LIST);
});

test("a number above all integers names the same document as in PHP, and no other document", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  await ask(client, { action: "create", document: 0 });
  for (const [number, name] of [
    ["12345678901234567890", "-6101065172474984448"],
    ["-1e30", "-5076964154930102272"],
    ["9223372036854775807", "9223372036854775807"],
  ] as const) {
    client.send(`{"action":"create","document":${number}}\n`);
    assert.equal(await answer(client), '{"status":"success"}');
    assert.equal(await ask(client, { action: "drop", document: name }), '{"status":"success"}');
    client.send(`{"action":"drop","document":${number}}\n`);
    assert.match(await answer(client), /already exist/);
  }
  assert.match(await ask(client, { action: "list" }), /\["?0"?\]/);
});

test("a line may arrive byte by byte, and many lines may arrive together", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  for (const byte of '{"action":"create","document":"a}]{\\""}\r\n') client.send(byte);
  assert.equal(await answer(client), '{"status":"success"}');
  client.send('{"action":"list"}\n'.repeat(1000));
  for (let remaining = 1000; remaining > 0; remaining--)
    assert.equal(await answer(client), '{"status":"success","documents":["a}]{\\""]}');
});

test("a request without a line break is served, and a later line break does not count as a request", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  for (let turn = 0; turn < 3; turn++) {
    client.send('{"action":"list"}');
    assert.equal(await answer(client), LIST);
    client.send("\r\n");
  }
  assert.equal(await ask(client, { action: "list" }), LIST);
  client.send("\n");
  assert.match(await answer(client), /Syntax error, malformed JSON. <>/);
  client.send("quit");
  assert.equal(await client.rest(), "");
});

test("a line that is too long, or never ends, is refused, and the connection is closed", async () => {
  await using server = await startJson({ limits: { maxRequestBytes: 4096 } });
  for (const sent of [`{"action":"${"x".repeat(10_000)}`, `"${"x".repeat(5000)}"\n{"action":"list"}\n`]) {
    using client = await RawClient.open(server.port);
    client.send(`{"action":"list"}\n${sent}`);
    assert.equal(await answer(client), LIST);
    assert.match(await client.rest(), /^\{"status":"error","message":"The line is longer than[^}]*\}\n\r$/);
  }
  using first = await RawClient.open(server.port);
  first.send(`"${"x".repeat(5000)}"\n`);
  assert.match(await first.rest(), /^\{"status":"error","message":"The line is longer than[^}]*\}\n\r$/);
  using client = await RawClient.open(server.port);
  assert.equal(await ask(client, { action: "list" }), LIST);
});

test("a line of 16 MiB is one request, and its data can be read", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  await ask(client, { action: "create", document: "d" });
  const text = "x".repeat(16 * 1024 * 1024);
  const inserted = await ask(client, { action: "insert", document: "d", data: [{ text }] });
  assert.equal(inserted.length, text.length + '{"status":"success","data_interted":[{"text":""}]}'.length);
  assert.equal(await ask(client, { action: "count", document: "d" }), '{"status":"success","count":1}');
});

test("a client that ends its stream is answered first, and an incomplete request has no effect", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  client.send('{"action":"list"}\n{"action":"create","document":"half');
  client.socket.end();
  assert.equal(await client.rest(), `${LIST}\n\r`);
  using other = await RawClient.open(server.port);
  assert.equal(await ask(other, { action: "list" }), LIST);
});

test("an incomplete line closes the connection after a timeout, but an idle connection stays open", async () => {
  await using server = await startJson({ limits: { idleTimeout: 50 } });
  using waiting = await RawClient.open(server.port);
  using broken = await RawClient.open(server.port);
  broken.send('{"action":');
  assert.equal(await broken.rest(), "");
  assert.equal(await ask(waiting, { action: "list" }), LIST);
});

test("an answer that is too long is refused, and the connection continues", async () => {
  await using server = await startJson({ limits: { maxOutputBytes: 4096 } });
  using client = await RawClient.open(server.port);
  await ask(client, { action: "create", document: "d" });
  const text = "x".repeat(2000);
  for (let n = 0; n < 3; n++) await ask(client, { action: "insert", document: "d", data: [{ text }] });
  assert.match(
    await ask(client, { action: "getall" }),
    /^\{"status":"error","message":"The answer is longer/,
  );
  assert.match(await ask(client, { action: "get", document: "d", limit: 1 }), /^\{"status":"success"/);
});

test("an answer that exceeds the maximum string length is refused in the same way", async () => {
  const long = "x".repeat(2 ** 28);
  const expected = /^\{"status":"error","message":"The answer is longer/;
  assert.match(await withinStringLimit(() => long + long), expected);
  assert.match(await withinStringLimit(async () => [long, long].join()), expected);
  assert.equal(await withinStringLimit(() => "short"), "short");
  assert.throws(() => withinStringLimit(() => assert.fail("another problem")), /another problem/);
});

test("a query for members that are named like JSON's punctuation is answered", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  await ask(client, { action: "create", document: "d" });
  await ask(client, { action: "insert", document: "d", data: [{ a: ":b" }, { a: ":," }, { a: ":]" }] });
  for (const name of [":", ",", "}", "]"])
    assert.equal(
      await ask(client, { action: "count", document: "d", query: { [name]: 1 } }),
      '{"status":"success","count":0}',
    );
});
