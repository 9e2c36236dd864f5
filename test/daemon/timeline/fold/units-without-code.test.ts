/** Tests units that are decided together in a build that does not contain the code of one. This file installs none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../daemon/store/database.js";
import type { KeyRing } from "../../../../daemon/store/key-ring.js";
import { outcomesInTurn, PROPOSAL_STEPS_MAX } from "../../../../daemon/timeline/fold/outcomes-in-turn.js";
import type { Envelope } from "../../../../protocol/version-2/envelope.js";

test("a unit without the code of its command is not run to evaluate the next one, which waits", () => {
  const fold = { database: new Database({ databases: 1 }), ring: {} as KeyRing };
  const units = [
    ["XADD", "s", "*", "f", "v"],
    ["SET", "k", "v", "NX"],
  ].map((argv) => ({ if: null, commands: [argv], at: 1, db: 0, multi: false }) as unknown as Envelope);
  const decide = (index: number) => ({ envelope: units[index] }) as never;
  assert.deepEqual(outcomesInTurn(units, decide, PROPOSAL_STEPS_MAX, fold), [["applied"]]);
});
