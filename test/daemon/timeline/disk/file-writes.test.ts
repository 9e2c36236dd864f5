/** Tests which writes the event loop performs itself, and which it leaves to threads. The test controls the clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InlineWrites } from "../../../../daemon/timeline/disk/file-writes.js";

const LIMIT_MICROS = 1000;

/** A simulated disk and event loop. All times are in milliseconds. */
class Machine {
  now = 0;
  idle = 0;
  readonly inline: InlineWrites;

  constructor(limitMicros = LIMIT_MICROS) {
    this.inline = new InlineWrites(limitMicros, { uptime: () => this.now, idle: () => this.idle });
  }

  rest(ms: number): void {
    this.now += ms;
    this.idle += ms;
  }

  work(ms: number): void {
    this.now += ms;
  }

  /** Performs a write. @returns whether the event loop performed it */
  write(ms: number): boolean {
    const isInline = this.inline.allowsNext();
    if (isInline) this.inline.run(() => this.work(ms));
    return isInline;
  }
}

test("an idle event loop performs the writes itself while the disk is fast", () => {
  const machine = new Machine();
  for (let i = 0; i < 1000; i++) {
    machine.rest(2);
    assert.ok(machine.write(0.2), `write ${i}`);
  }
});

test("a limit of 0 leaves all writes to threads", () => {
  const machine = new Machine(0);
  machine.rest(100);
  assert.ok(!machine.write(0));
});

test("after one slow write, threads perform the writes for a hundred times as long as it took", () => {
  const machine = new Machine();
  machine.rest(5);
  assert.ok(machine.write(60));
  machine.rest(5999);
  assert.ok(!machine.write(0.1));
  machine.rest(1);
  assert.ok(machine.write(0.1), "the disk is tried again");
});

test("a disk that is always slow blocks the event loop for a small share of the time", () => {
  for (const ms of [1.5, 3, 30, 300]) {
    const machine = new Machine();
    let blocked = 0;
    for (let i = 0; i < 20_000; i++) {
      machine.rest(ms);
      if (machine.write(ms)) blocked += ms;
    }
    assert.ok(blocked > 0, `${ms} ms: the disk is tried`);
    assert.ok(blocked < 0.03 * machine.now, `${ms} ms: blocked for ${blocked} of ${machine.now}`);
  }
});

test("an event loop that has other work leaves the writes to threads", () => {
  const machine = new Machine();
  for (let i = 0; i < 100; i++) {
    machine.work(1.9);
    machine.rest(0.1);
    machine.write(0.3);
  }
  assert.ok(!machine.write(0.3));
  for (let i = 0; i < 100; i++) {
    machine.rest(1);
    machine.write(0.3);
  }
  assert.ok(machine.write(0.3), "the event loop is idle again");
});
