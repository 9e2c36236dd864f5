/** Tests that each error message has a code, for clients that request codes, and that the manual lists all codes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Refused, refused, replyOf } from "../../../../daemon/engine/answers/request.js";
import { error, type Reply } from "../../../../protocol/reply.js";
import { answer, ask } from "../../../../test/support/json-lines.js";
import { RawClient } from "../../../../test/support/raw-client.js";
import { repositoryRoot } from "../../../../test/support/repository.js";
import { answerOf } from "../../actions/action-answers.js";
import { ERROR_CODES, type ErrorCode, errorCode, withErrorCode } from "../../messages/json-answers.js";
import { startJson } from "../scene.js";

test("errors contain codes once the client has requested them, with unchanged messages", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  const absent = { action: "get", document: "d" };
  const sentence = '{"status":"error","message":"Document provided does not exist."';

  assert.equal(await ask(client, absent), `${sentence}}`);
  assert.equal(await ask(client, { ...absent, codes: true }), `${sentence},"code":"DOCUMENT_ABSENT"}`);
  assert.equal(await ask(client, absent), `${sentence},"code":"DOCUMENT_ABSENT"}`);
  const cases: readonly (readonly [object, ErrorCode])[] = [
    [{}, "NO_ACTION"],
    [{ action: "x" }, "UNKNOWN_ACTION"],
    [{ action: "get", document: "d", skip: 1 }, "UNKNOWN_MEMBER"],
    [{ action: "drop", document: "d" }, "DOCUMENT_ABSENT"],
    [{ action: "get", document: "e", where: 1 }, "CONDITION"],
    [{ action: "createindex", document: "e" }, "NO_FIELD"],
    [{ action: "update", document: "e", id: "k", revision: "0", data: { n: 2 } }, "REVISION"],
    [{ action: "update", document: "e", id: "k", data: { m: 2 } }, "WRONG_MEMBERS"],
    [{ action: "update", document: "e", id: "x", data: { n: 2 } }, "ENTRY_ABSENT"],
    [{ action: "update", document: "e", id: "k", data: { $inc: { n: "" } } }, "CONDITION"],
  ];

  await ask(client, { action: "create", document: "e" });
  const reply = await ask(client, {
    action: "insert",
    document: "e",
    data: { k: { n: 1 } },
    "auto-increment": false,
  });
  assert.equal(reply, '{"status":"success","data_interted":{"k":{"n":1}}}');

  for (const [request, code] of cases)
    assert.equal(
      (JSON.parse(await ask(client, request)) as { code?: string }).code,
      code,
      JSON.stringify(request),
    );

  client.send("nonsense\n");
  assert.match(await answer(client), /"code":"MALFORMED"\}$/);
  using other = await RawClient.open(server.port);
  assert.equal(await ask(other, absent), `${sentence}}`);
});

test("errors about the effect state it in the message, and have their own codes", () => {
  const answers: readonly (readonly [Reply | Refused, RegExp, ErrorCode])[] = [
    [
      refused("cannot-decide", "no majority answers"),
      /^NOTAPPLIED This daemon cannot take part/,
      "NOT_APPLIED",
    ],
    [refused("undecided", ""), /^MAYBEAPPLIED This daemon does not know/, "MAYBE_APPLIED"],
    [refused("catching-up", "it has started"), /^This daemon accepts no writes yet/, "NOT_NOW"],
    [error("MAYBEAPPLIED No daemon answered: timeout"), /^MAYBEAPPLIED No daemon answered/, "MAYBE_APPLIED"],
  ];

  for (const [reply, message, code] of answers) {
    const text = withErrorCode(
      answerOf(replyOf(reply), () => []),
      "insert",
    );
    const members = JSON.parse(String(text)) as { readonly message: string; readonly code: string };
    assert.match(members.message, message);
    assert.equal(members.code, code);
  }
});

test("all messages of the original have their own codes", () => {
  const file = readFileSync(join(repositoryRoot, "test/vectors/json/transcripts.json"), "utf8");
  const steps = (JSON.parse(file) as { steps: { expect?: string }[] }[]).flatMap(
    (scenario) => scenario.steps,
  );
  const answers = steps.flatMap(({ expect = "" }) => expect.split("\n\r"));
  const sentences = answers.flatMap((one) =>
    one.startsWith('{"status":"error"') ? [(JSON.parse(one) as { message: string }).message] : [],
  );
  assert.ok(sentences.length > 50);
  for (const sentence of sentences) assert.notEqual(errorCode(sentence, "get"), "REFUSED", sentence);
});

test("the manual lists exactly the codes that errors can have", () => {
  const manual = readFileSync(join(repositoryRoot, "docs/json-documents.md"), "utf8");
  const [, section = ""] = manual.split("### Codes of errors");
  const rows = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
  const expected = Object.entries(ERROR_CODES).map(([code, { meaning }]) => `| ${code} | ${meaning} |`);
  assert.deepEqual(rows.slice(2), expected);
});
