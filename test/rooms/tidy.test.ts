/**
 * The modules of daemon/ and similar folders are those of their READMEs, and import each other only as these
 * permit.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { arrows, HALL, HOUSES, roomsOfReadme, sizes } from "./rooms.js";

for (const house of HOUSES) {
  test(`${house}/README.md has a row for each room, and no others`, () => {
    const table = roomsOfReadme(house);
    const rooms = [...sizes(house).keys()].filter((room) => room !== HALL || table.has(HALL));
    assert.deepEqual([...table.keys()].sort(), rooms.sort());
  });

  test(`a room of ${house}/ may import only rooms above it in the table, so that no arrow runs up and there is no circle`, () => {
    const before = new Set<string>();
    for (const [room, allowed] of roomsOfReadme(house)) {
      for (const other of allowed)
        assert.ok(before.has(other), `${room} stands before ${other}, which it may import`);
      before.add(room);
    }
  });

  test(`rooms of ${house}/ import, load and start what the table allows, and the table allows no more`, () => {
    const known = arrows(house);
    for (const [room, allowed] of roomsOfReadme(house)) {
      const others = known.get(room) ?? new Map<string, string[]>();
      for (const [other, shown] of others)
        assert.ok(
          allowed.includes(other),
          `${room} must not know ${other === HALL ? `the files directly in ${house}/` : other}: ${shown.join(", ")}. See ${house}/README.md.`,
        );
      const unused = allowed.filter((other) => !others.has(other));
      assert.deepEqual(
        unused,
        [],
        `${room} need not import these any more: take them out of ${house}/README.md`,
      );
    }
  });
}
