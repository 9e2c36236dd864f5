import assert from "node:assert/strict";
import { test } from "node:test";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { keyOf } from "./entries.js";
import { World } from "./support.js";

test("an order that names nobody who is connected is told, once they have had their time to come", () => {
  for (const ordered of ["b", "nobody"]) {
    const world = new World();
    const { id } = keyOf(ordered);
    const a = world.add("a", { peers: ["b"], parts: { order: id } });
    world.run(2000);
    const told = () => a.lines.filter(({ text }) => text.startsWith("`adopt` names no daemon"));
    assert.equal(told().length, 0, "b may come yet");
    const b = world.add("b", { peers: ["a"] });
    world.runUntil(() => a.peering.state === "live");
    world.run(20_000);
    assert.deepEqual(
      told().map(({ facts }) => facts),
      ordered === "b" ? [] : [{ adopt: hexOf(id), members: [hexOf(b.key.id)] }],
    );
  }
});
