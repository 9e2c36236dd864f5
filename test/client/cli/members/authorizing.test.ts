/** How `dbsync members` authorizes the keys of daemons that it adds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizeAdded } from "../../../../client/cli/members/authorizing.js";
import type { MemberView } from "../../../../client/cli/members/member-views.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { CLUSTER, idOf } from "../../../timeline/members/lists.js";

const hex = (letter: string): string => hexOf(idOf(letter));

const view = (letter: string): MemberView => ({
  ...{ address: `${letter}:1111`, id: hex(letter), cluster: hexOf(CLUSTER), state: "live" },
  ...{ durable: true, joining: false, refusal: null, authorize: null, lists: [], peers: [] },
});

test("a daemon that no member has seen, and that needs nothing once it can be asked, is no problem", async () => {
  const answers = [[view("A")], [view("A"), view("D")]];
  const ask = async () => answers.shift() ?? assert.fail("it is asked once more");
  const views = await ask();
  const send = async () => assert.fail("nothing is to be sent");
  assert.deepEqual(await authorizeAdded([hex("D")], { views, ask, send }), []);
});
