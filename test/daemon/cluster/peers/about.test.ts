/** Tests members' reports about themselves: the reports are bounded and printable, and influence no decision. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MEMBER_FIGURES, TIMELINE_FIGURES } from "../../../../protocol/figures/timeline-figures.js";
import { publicProblems } from "../../../../protocol/figures/timeline-problems.js";
import { FrameParser } from "../../../../protocol/frame.js";
import {
  type MemberAbout,
  readMemberMessage,
  writeMemberMessage,
} from "../../../../protocol/members/member-messages.js";
import { readFigures } from "../../../../tools/cli/shared/read-figures.js";
import { World } from "./support.js";

const ABOUT: MemberAbout = {
  software: "0.1.0",
  pagePort: 9464,
  isPageLocal: false,
  diskFree: 10,
  diskSize: 100,
  clientAnswers: 12,
  clientRefusals: 3,
  clientConnections: 4,
  problems: [{ code: "failed", member: "", text: "its disk has failed (EIO)" }],
};

test("a member shows the reports that other members send about themselves", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b", "c"], parts: { about: () => ABOUT } });
  const b = world.add("b", { parts: { about: () => ({ ...ABOUT, pagePort: 1 }) } });
  const c = world.add("c");
  world.runUntil(() => a.peering.members.every(({ connection }) => connection === "connected"));
  world.runUntil(() => a.peering.members.some(({ about }) => about !== null));
  world.run(6000);
  const seen = (of: typeof a) => of.peering.members.map(({ about }) => about?.pagePort ?? null);
  assert.deepEqual(seen(a), [1, null]);
  assert.deepEqual(b.peering.members[0]?.about?.problems, ABOUT.problems);
  assert.deepEqual(seen(c), [9464]);
});

test("a member's report is limited in length and to printable characters, whatever the member sends", () => {
  const written = writeMemberMessage({
    kind: "about",
    ...ABOUT,
    software: `1\x1b[2J${"x".repeat(99)}`,
    problems: Array.from({ length: 20 }, (_, index) => ({
      code: "failed",
      member: "db2:1111 x\n",
      text: `${index} \u202e<b>\r\n${"y".repeat(1000)}`,
    })),
  });

  const [payload] = new FrameParser(1 << 20, 2).split(written);
  const message = readMemberMessage(payload as Buffer);
  assert.ok(message.kind === "about");
  assert.equal(message.software.length, 32);
  assert.equal(message.problems.length, 8);

  for (const { code, member, text } of message.problems) {
    assert.deepEqual([code, member], ["failed", "db2:1111?x?"]);
    assert.equal(text.length, 600 - "failed db2:1111?x? ".length);
  }
  for (const text of [message.software, ...message.problems.map(({ text }) => text)]) {
    assert.match(text, /^[\x20-\x7e]+$/);
  }
});

test("public problems contain no name of a key and no id, but the complete command for the daemon's own key", () => {
  const id = "0123456789abcdef".repeat(4);
  const own = `CLUSTER ADD MCow${"abcdef012345".repeat(2)}`;
  const report = {
    ...readFigures(TIMELINE_FIGURES, []),
    state: "live",
    durable: true,
    authorize: own,
    differing: [{ db: 0, key: "secret-name", verdict: "own", members: [id] }],
    invalidIndexes: [{ db: 0, key: "secret-collection", index: "secret_1" }],
    revoked: id,
    members: [
      {
        ...readFigures(MEMBER_FIGURES, []),
        connection: "waiting",
        address: `${id}:1111`,
        lastHeard: 1,
        awayFor: 1,
      },
    ],
  };

  const problems = publicProblems(report, 1_790_000_000_000);
  const text = JSON.stringify(problems);

  assert.ok(problems.length >= 4, text);
  assert.ok(problems.some(({ fix }) => fix === `as administrator: dbsync send -k root-private.pem ${own}`));
  assert.doesNotMatch(text, /secret|0123456789ab/);
  assert.equal(problems.find(({ code }) => code === "memberDown")?.member, "…:1111");
  assert.match(text, /its state differs from that of most members/);
  assert.match(
    text,
    /the index … of key \(dbsync doctor names it\) in database 0 was acknowledged, but is invalid/,
  );
});
