import assert from "node:assert/strict";
import { test } from "node:test";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { keyOf } from "./entries.js";
import { World } from "./support.js";

test("an order that names no connected daemon is reported, once daemons have had time to connect", () => {
  for (const ordered of ["b", "nobody"]) {
    const world = new World();
    const { id } = keyOf(ordered);
    const a = world.add("a", { peers: ["b"], parts: { adoptionOrder: id } });
    world.run(2000);
    const warnings = () => a.lines.filter(({ text }) => text.startsWith("`adopt` names no daemon"));
    assert.equal(warnings().length, 0, "b may still connect");
    const b = world.add("b", { peers: ["a"] });
    world.runUntil(() => a.peering.state === "live");
    world.run(20_000);
    assert.deepEqual(
      warnings().map(({ facts }) => facts),
      ordered === "b" ? [] : [{ adopt: hexOf(id), members: [hexOf(b.key.id)] }],
    );
  }
});
