/** Tests which member lists a daemon requests, because decisions or later lists name them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ListHistory } from "../../../../daemon/cluster/members/list-history.js";
import type { Storage } from "../../../../daemon/timeline/entries/storage.js";
import type { KnownList, SignedList } from "../../../../protocol/members/member-list.js";
import { double } from "../../../support/double.js";
import { idOf, idsOf, listAfter } from "../../timeline/members/lists.js";

const signed = (list: KnownList): SignedList => ({
  ...list,
  body: Buffer.alloc(1),
  signature: Buffer.alloc(1),
});

const make = () => new ListHistory(double<Storage>({ readMark: () => null, put: () => {} }));

test("names that decisions have invented displace neither newer ones nor the parents of known lists", () => {
  const history = make();
  const parent = signed(listAfter([], { add: "AB" }));
  const list = signed(listAfter([parent], { add: "D" }));
  history.use([list]);
  assert.deepEqual(history.before(list, 0), { lists: [], unknown: new Set(list.list.members) });
  for (let count = 0; count < 100; count++) history.miss(idOf(`invented ${count}`));
  const named = idOf("named last");
  history.miss(named);
  assert.ok(history.missing.has(parent.hash) && history.missing.has(named));
  assert.ok(history.missing.size <= 17);
  history.add(parent);
  assert.ok(!history.missing.has(parent.hash));
  assert.deepEqual(history.before(list, 0), { lists: [parent], unknown: new Set() });
});

test("all members of the list that follows an unknown one may be members of that list", () => {
  const history = make();
  const first = signed(listAfter([], { add: "AB" }));
  const second = signed(listAfter([first], { add: "D", leave: "A" }));
  const third = signed(listAfter([second], { add: "E", leave: "B" }));
  history.use([third]);
  assert.deepEqual(history.before(third, 0), { lists: [], unknown: new Set(idsOf("DE")) });
  history.add(second);
  assert.deepEqual(history.before(third, 0), { lists: [second], unknown: new Set(idsOf("BD")) });
  assert.deepEqual(history.before(third, 2), { lists: [second], unknown: new Set() });
  assert.deepEqual(history.before(third, 3), { lists: [], unknown: new Set() });
});

test("the lists in use prove all lists that they follow, and no other", () => {
  const history = make();
  const first = signed(listAfter([], { add: "AB" }));
  const second = signed(listAfter([first], { add: "D" }));
  const third = signed(listAfter([second], { add: "E" }));
  const other = signed(listAfter([second], { add: "F" }));
  history.add(other);
  assert.equal(history.isProved(second.hash), false);
  history.use([third]);
  assert.deepEqual([...history.missing], [second.hash]);
  history.add(second);
  const all = [first, second, third, other];
  assert.deepEqual(
    all.map(({ hash }) => history.isProved(hash)),
    [true, true, true, false],
  );
});
