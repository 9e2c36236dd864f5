/** Compares the table of errors with the list in README.md, in both directions. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DbsyncError, ERROR_CODES } from "../../../client/shared/errors.js";
import { describeOutcomes, outcomeCure, STAGES } from "../../../client/shared/sentences.js";
import {
  REFUSALS,
  type Refusal,
  type RefusalCode,
  refusalText,
} from "../../../daemon/engine/answers/refusals.js";
import { formatTable } from "../../../daemon/net/terminal/text-table.js";
import { readDaemonMessage, writeRefused } from "../../../protocol/version-2/messages-v2.js";
import { repositoryRoot } from "../../support/repository.js";

const readme = readFileSync(join(repositoryRoot, "client/README.md"), "utf8");

function listed(heading: string): string[] {
  const section = readme.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `([a-z\d-]+)` *\|/gm)].map((match) => match[1] as string).sort();
}

test("README.md lists every error code, and no others", () => {
  assert.deepEqual(listed("Errors"), [...ERROR_CODES].sort());
});

test("README.md lists every stage, and no others", () => {
  assert.deepEqual(listed("Stages"), Object.keys(STAGES).sort());
});

test("the text of a refusal ends with the daemon's remedy, and other failures with that of their stage", () => {
  const codes = Object.entries<Refusal>(REFUSALS).flatMap(([code, { wire }]) =>
    wire === undefined ? [] : [[code as RefusalCode, wire.cure] as const],
  );
  assert.ok(codes.length > 30);

  for (const [code, cure] of codes)
    for (const stage of ["refused", "lost"] as const) {
      const detail = `${code}: ${refusalText(code)}`;
      const outcome = {
        address: "a:1",
        status: "failed",
        stage,
        detail,
        effect: "not-applied",
        ms: 1,
      } as const;
      const { message } = new DbsyncError("all-failed", "", { outcomes: [outcome] });
      assert.ok(message.includes(`(${detail}) [not applied there]`), message);
      assert.equal(outcomeCure(outcome).toLowerCase(), cure.toLowerCase());
    }

  const short = { stage: "refused", detail: "not-of-this-version: No.", effect: "unknown" } as const;
  assert.equal(outcomeCure(short), STAGES.refused.cure);
  const broken = { stage: "connect", detail: "a: No. Yes.", effect: "unknown" } as const;
  assert.equal(outcomeCure(broken), STAGES.connect.cure);
});

test("a long refusal is cut when it is read, and described in linear time", () => {
  const sentence = `${". a".repeat(1_000_000)}.`;
  const refused = { id: "", code: "wrong-db", sentence, clock: 0, effect: "not-applied" } as const;
  const message = readDaemonMessage(Buffer.from(writeRefused(refused), "latin1"));
  assert.ok(message.kind === "refused" && message.sentence.length <= 1000);
  // A pattern that tries each sentence as the last one would take hours.
  const outcome = { stage: "refused", detail: `wrong-db: ${sentence}`, effect: "not-applied" } as const;
  assert.equal(outcomeCure(outcome), "a");
});

test("an answer of a daemon that was catching up is described as such, apart from those of other daemons", () => {
  const answer = (address: string, flags: string[]) =>
    ({ address, status: "ok", value: null, flags }) as const;
  const outcomes = [
    answer("a:1", ["unmet"]),
    answer("b:1", ["unmet", "catching-up"]),
    answer("c:1", ["unmet"]),
  ];
  assert.deepEqual(describeOutcomes(outcomes), [
    "a:1, c:1: answered nil",
    "b:1: answered nil while catching up",
  ]);
});

test("control characters from a daemon are escaped in sentences and tables", () => {
  const detail = "no\u001b[2J";
  const outcome = {
    address: "a:1",
    status: "failed",
    stage: "refused",
    detail,
    effect: "not-applied",
    ms: 1,
  } as const;
  assert.match(new DbsyncError("refused", "", { outcomes: [outcome] }).message, /\(no\?\[2J\)/);
  assert.equal(formatTable([["LABEL"], [detail]]), "LABEL\nno\\x1b[2J\n");
});

test("the error of a write that daemons have applied says that they keep it", () => {
  const answered = (flags: readonly string[]) =>
    ({
      ...({ address: "a:1", status: "ok", value: "OK", values: ["OK"], version: 2, ms: 1 } as const),
      flags,
    }) as const;
  const messageOf = (extra: ConstructorParameters<typeof DbsyncError>[2]) =>
    new DbsyncError("too-few-answers", "", extra).message;
  const note =
    /\n {2}The daemons that answered keep the write, and .*: read the key before you repeat the command$/;
  assert.match(messageOf({ outcomes: [answered([])] }), note);
  assert.doesNotMatch(messageOf({ outcomes: [answered([])], isRead: true }), note);
  assert.doesNotMatch(messageOf({ outcomes: [answered(["unmet"])] }), note);
});
