/** Tests answers of the SQL line protocol: recorded answers, in any division of their bytes, and invalid answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../../protocol/byte-string.js";
import { SeededRandom, seedOfRun } from "../../../../test/support/seeded-random.js";
import { errorFrame, messageFrame, type SqlFrame, SqlFrameReader } from "../../bytes/sql-frames.js";
import { scenarios } from "../store/commands/transcript.js";

const MAX = 1 << 20;
const bytes = (text: string) => Buffer.from(text, "latin1");

function framesOf(pieces: readonly Buffer[], most = MAX): { frames: SqlFrame[]; reader: SqlFrameReader } {
  const reader = new SqlFrameReader(most);
  const frames: SqlFrame[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let next = reader.next(); next !== null; next = reader.next()) frames.push(next);
  }
  return { frames, reader };
}

/** Recorded replies that consist of one frame. Other replies contain the line END of a quoted statement. */
const recorded = scenarios
  .filter(({ name }) => name !== "framing")
  .flatMap(({ steps }) => steps.flatMap(({ expect }) => (expect === undefined ? [] : [bytesOfText(expect)])))
  .filter((frame) => frame.endsWith("\nEND\n") && frame.match(/^RESULT_MESSAGE$/gm)?.length === 1);

test("recorded answers are parsed unchanged in one piece, in pieces and byte by byte, and errors are recognized", (t) => {
  const stream = bytes(recorded.join(""));
  assert.ok(recorded.length > 400, String(recorded.length));

  const seed = seedOfRun();
  const random = new SeededRandom(seed);
  t.diagnostic(`seed ${seed}`);

  const pieces: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = random.between(1, 3000);
    pieces.push(stream.subarray(at, at + length));
    at += length;
  }

  const single = Array.from(stream, (byte) => Buffer.of(byte));
  for (const form of [[stream], pieces, single]) {
    const { frames, reader } = framesOf(form);
    assert.deepEqual(
      frames.map((frame) => frame.bytes),
      recorded,
    );
    assert.deepEqual(
      frames.map((frame) => frame.isError),
      recorded.map((frame) => /^RESULT_MESSAGE\n(Hadisoana : |Erreur de connexion backend\n)/.test(frame)),
    );
    assert.equal(reader.problem, null);
    assert.equal(reader.heldBytes, 0);
  }
});

test("a message may begin with the line END, and a relation may end with an error message", () => {
  const odd = "RESULT_MESSAGE\nEND\nmore\nEND\n";
  const page = `RELATION_JSON_PAGE 1/1\nEND\nRELATION_JSON_END\n${errorFrame("x")}`;
  const { frames } = framesOf([bytes(odd + page + messageFrame("done"))]);
  assert.deepEqual(frames, [
    { bytes: odd, isError: false },
    { bytes: page, isError: false },
    { bytes: messageFrame("done"), isError: false },
  ]);
});

test("invalid and overlong answers are reported, and no further bytes are stored", () => {
  const tls = framesOf([Buffer.of(0x15, 3, 1, 0, 2, 2, 0x28), bytes("\n")]);
  assert.equal(tls.reader.problem, "no-answer");
  assert.equal(framesOf([bytes("x".repeat(100))]).reader.problem, "no-answer");
  assert.equal(framesOf([bytes("HTTP/1.1 400 Bad Request\r\n")]).reader.problem, "no-answer");
  const long = framesOf([bytes("RESULT_MESSAGE\n"), bytes("x".repeat(90)), bytes("\nEND\n")], 100);
  assert.equal(long.reader.problem, "too-long");
  assert.deepEqual(long.frames, []);
  const endless = framesOf([bytes("RESULT_MESSAGE\n"), bytes("x".repeat(200))], 100);
  assert.equal(endless.reader.problem, "too-long");
});
