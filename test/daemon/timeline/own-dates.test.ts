/** Tests the dates that a daemon has closed, also after a restart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { OwnDates, RESERVED_MS } from "../../../daemon/timeline/own-dates.js";

const AT = 1_790_000_000_000;
const FAR = AT + 60_000;

test("a closed date is never lowered", async () => {
  const dates = new OwnDates(new MemoryStorage());
  assert.equal(dates.closedTo, 0);
  await dates.close(AT, FAR);
  await dates.close(AT - 5, FAR);
  assert.equal(dates.closedTo, AT);
});

test("after a restart, the closed dates stay closed, and the disk is written only about twice a second", async () => {
  const storage = new MemoryStorage();
  let puts = 0;
  const counting = {
    readMark: () => storage.readMark("closed"),
    put: (...args: Parameters<MemoryStorage["put"]>) => {
      puts++;
      storage.put(...args);
    },
    synced: () => storage.synced(),
  };
  const dates = new OwnDates(counting);
  for (let at = AT; at <= AT + 10_000; at++) {
    await dates.close(at, FAR);
    const { closedTo } = new OwnDates(storage);
    assert.ok(closedTo >= at && closedTo <= at + RESERVED_MS, `${closedTo - at}`);
  }
  assert.ok(puts <= 21, `${puts} writes`);
});

test("dates count as closed only when the disk has them", async () => {
  let isSynced = (): void => {};
  const dates = new OwnDates({
    readMark: () => null,
    put: () => {},
    synced: () => new Promise((resolve) => void (isSynced = resolve)),
  });
  let isClosed = false;
  const closing = dates.close(AT, FAR).then(() => void (isClosed = true));
  assert.equal(dates.closedTo, AT, "nothing more is signed with these dates from now on");
  await Promise.resolve();
  assert.equal(isClosed, false);
  isSynced();
  await closing;
});

test("the date on the disk is not so late that a restarted daemon would refuse writes", async () => {
  const storage = new MemoryStorage();
  const dates = new OwnDates(storage);
  for (let at = AT; at < AT + 400; at++) {
    await dates.close(at, AT + 300);
    const { closedTo } = new OwnDates(storage);
    assert.ok(closedTo >= at && closedTo <= Math.max(at, AT + 300), `${closedTo - at}`);
  }
});
