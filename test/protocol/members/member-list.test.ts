/** Tests the text of a member list: it has one form, and any other text is rejected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LIST_BYTES_MAX,
  type MemberList,
  parseMemberList,
  readListAlone,
  writeMemberList,
} from "../../../protocol/members/member-list.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { writeBody } from "../../../protocol/version-2/envelope-body.js";
import { CLUSTER, idOf, idsOf, known } from "../../daemon/timeline/members/lists.js";

const FIRST: MemberList = { cluster: CLUSTER, number: 1, parents: [], members: idsOf("AB"), removed: [] };
const hex = (letter: string) => letter.charCodeAt(0).toString(16).repeat(32);
const TEXT = [
  "dbsync members 1",
  `cluster ${hex("C")}`,
  "number 3",
  `parent ${hex("P")}`,
  `member ${hex("A")}`,
  `member ${hex("B")}`,
  `left ${hex("X")}`,
  "",
].join("\n");
const LIST: MemberList = {
  cluster: CLUSTER,
  number: 3,
  parents: idsOf("P"),
  members: idsOf("AB"),
  removed: idsOf("X"),
};

test("a list is written in one form, regardless of the given order, and parsed back", () => {
  assert.equal(writeMemberList(LIST), TEXT);
  assert.equal(writeMemberList({ ...LIST, members: idsOf("BA") }), TEXT);
  assert.deepEqual(parseMemberList(TEXT), LIST);
  assert.deepEqual(parseMemberList(writeMemberList(FIRST)), FIRST);
});

test("a list is refused if its envelope has more than the list, or asks the members to decide", () => {
  const header = { key: "K".repeat(32), cluster: CLUSTER, at: 1, seq: 0, nonce: "N".repeat(16) };
  const command = writeCommand(["CLUSTER", "MEMBERS", TEXT]);
  const read = (more: object, commands = [command]) => {
    const body = Buffer.from(writeBody({ ...header, ...more }, commands), "latin1");
    return readListAlone(body, Buffer.alloc(0), CLUSTER, (bytes) => String(bytes.length));
  };
  assert.ok("list" in read({}));
  for (const more of [{ multi: true }, { as: "ann" }, { only: "D".repeat(32) }, { decide: true }])
    assert.ok("refused" in read(more), Object.keys(more).join());
  assert.ok("refused" in read({}, [command, command]));
});

test("a list is identified by the SHA-256 of its text", () => {
  assert.equal(known(LIST).hash.length, 32);
  assert.notEqual(known(LIST).hash, known({ ...LIST, number: 4 }).hash);
  assert.equal(known(LIST).hash, known({ ...LIST, members: idsOf("BA") }).hash);
});

const swap = (one: string, other: string) => TEXT.replace(one, "?").replace(other, one).replace("?", other);

for (const [what, text] of Object.entries({
  nothing: "",
  "no line break at the end": TEXT.slice(0, -1),
  "something behind": `${TEXT}x`,
  "an empty line": TEXT.replace("number", "\nnumber"),
  "line breaks of another system": TEXT.replaceAll("\n", "\r\n"),
  "another version": TEXT.replace("members 1", "members 2"),
  capitals: TEXT.toUpperCase().replace("DBSYNC MEMBERS", "dbsync members"),
  "a short id": TEXT.replace(hex("A"), hex("A").slice(2)),
  "a number with a leading zero": TEXT.replace("number 3", "number 03"),
  "the number 0": TEXT.replace("number 3", "number 0"),
  "too high a number": TEXT.replace("number 3", "number 1000000000"),
  "members that are not sorted": swap(hex("A"), hex("B")),
  "lines in another order": TEXT.replace("member ", "left ").replace(/left (?=58)/, "member "),
  "a member twice": TEXT.replace(hex("B"), hex("A")),
  "a member that was removed": TEXT.replace(hex("X"), hex("A")),
  "no member": TEXT.replace(/member \w+\n/g, ""),
  "a first list with a parent": TEXT.replace("number 3", "number 1"),
  "three parents": TEXT.replace(
    /parent \w+\n/,
    ["P", "Q", "R"].map((letter) => `parent ${hex(letter)}\n`).join(""),
  ),
  "a text that is too long": `${TEXT}${"x".repeat(LIST_BYTES_MAX)}`,
}))
  test(`${what} is refused`, () => {
    assert.equal(typeof parseMemberList(text), "string");
  });

const many = (count: number, from: number) =>
  Array.from({ length: count }, (_, i) => (from + i).toString().padStart(32, "0"));

test("a list has at most 32 members and 4,096 removed daemons, and its number is at most 999,999,999", () => {
  const full = { ...LIST, number: 999_999_999, members: many(32, 0), removed: many(4096, 10_000) };
  assert.ok(writeMemberList(full).length <= LIST_BYTES_MAX);
  assert.deepEqual(parseMemberList(writeMemberList(full)), full);
  for (const more of [
    { ...full, members: [...full.members, idOf("z")] },
    { ...full, removed: [...full.removed, idOf("z")] },
  ])
    assert.match(parseMemberList(writeMemberList(more)) as string, /at most/);
});
