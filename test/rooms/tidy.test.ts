/** The rooms of daemon/ are those of its README, and know each other only as that says; and folders stay small. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { arrows, folderSizes, PROGRAMS, roomsOfReadme, sizes } from "./rooms.js";

const FOLDER_FILES_MAX = 24;
/** Larger for now. What has become small is to be taken out. */
const LARGE = [
  "client",
  "client/cli",
  "daemon/peers",
  "protocol",
  "store",
  "store/commands",
  "store/values",
  "timeline",
];

test("daemon/README.md has a row for each room, and no others", () => {
  const rooms = [...sizes().keys()].filter((room) => room !== PROGRAMS);
  assert.deepEqual([...roomsOfReadme().keys()].sort(), rooms.sort());
});

test("a room may import only rooms above it in the table, so that no arrow runs up and there is no circle", () => {
  const before = new Set<string>();
  for (const [room, allowed] of roomsOfReadme()) {
    for (const other of allowed)
      assert.ok(before.has(other), `${room} stands before ${other}, which it may import`);
    before.add(room);
  }
});

test("rooms import, load and start what the table allows, and the table allows no more", () => {
  const known = arrows();
  for (const [room, allowed] of roomsOfReadme()) {
    const others = known.get(room) ?? new Map<string, string[]>();
    for (const [other, shown] of others)
      assert.ok(
        allowed.includes(other),
        `${room} must not know ${other === PROGRAMS ? "the programs" : other}: ${shown.join(", ")}. See daemon/README.md.`,
      );
    const unused = allowed.filter((other) => !others.has(other));
    assert.deepEqual(unused, [], `${room} need not import these any more: take them out of daemon/README.md`);
  }
});

test(`a folder holds at most ${FOLDER_FILES_MAX} files`, () => {
  for (const [folder, files] of folderSizes()) {
    if (/^(test|bench)\b/.test(folder)) continue;
    if (LARGE.includes(folder))
      assert.ok(files > FOLDER_FILES_MAX, `${folder} has become small: take it out of LARGE`);
    else assert.ok(files <= FOLDER_FILES_MAX, `${folder} holds ${files} files: which rooms are in it?`);
  }
});
