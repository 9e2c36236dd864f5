/** Tests that an envelope of messages is delivered once, regardless of its source and of when it is repeated. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelMessage, Channels } from "../../../../daemon/engine/channels/channels.js";
import { Broadcasts } from "../../../../daemon/engine/pipeline/publish-messages.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { double } from "../../../support/double.js";

const NEWS: ChannelMessage = { kind: "channel", channel: "news", text: "text" };
const START = 1_000_000;

class Scene {
  now = START;
  received = 0;
  passed = 0;
  missed = 0;
  readonly broadcasts: Broadcasts;
  timer: (() => void) | null = null;

  constructor(max = 100) {
    const channels = new Channels();
    channels.add("channel", "news", {
      receive: () => this.received++,
      miss: () => this.missed++,
      review() {},
    });
    const window = { past: 30_000, future: 5_000 };
    const setTimer = (_: number, step: () => void) => {
      assert.equal(this.timer, null);
      this.timer = step;
      return () => {};
    };
    const environment = double<Environment>({ clock: () => this.now, setTimer });
    this.broadcasts = new Broadcasts({ channels, environment, window, max });
    this.broadcasts.forwardToMembers = () => this.passed++;
  }

  runTimer(): void {
    const step = this.timer;
    this.timer = null;
    step?.();
  }

  tell(id: string, at: number, isClients = true): readonly number[] {
    const message = { kind: "command", body: Buffer.alloc(0), signature: Buffer.alloc(0) } as const;
    return this.broadcasts.publish(id, at, [NEWS], isClients ? message : null);
  }
}

test("the first copy is published and forwarded; later ones are answered with the number of subscribers", () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell("id", START + 1), [1]);
  assert.deepEqual(scene.tell("id", START + 1), [1]);
  assert.deepEqual([scene.received, scene.passed, scene.missed], [1, 1, 0]);
});

test("a gap event precedes the messages that follow the gap, however soon they arrive", () => {
  const scene = new Scene();
  scene.broadcasts.miss();
  scene.broadcasts.miss();
  assert.deepEqual([scene.missed, scene.received], [1, 0]);
  scene.tell("id", START + 1);
  assert.deepEqual([scene.missed, scene.received], [2, 1]);
  scene.tell("other", START + 2);
  assert.deepEqual([scene.missed, scene.received], [2, 2]);
});

test("an envelope from a member is not forwarded, and the client's own copy is not published again", () => {
  const scene = new Scene();
  scene.tell("id", START + 1, false);
  scene.tell("id", START + 1);
  assert.deepEqual([scene.received, scene.passed], [1, 0]);
});

test("forgotten envelopes are never published again, even if the clock is set back", () => {
  const scene = new Scene();
  scene.tell("id", START + 1);
  scene.now += 60_000;
  scene.tell("other", scene.now);
  assert.ok(scene.broadcasts.isKnown("id", START + 1));
  scene.now = START + 2;
  scene.tell("id", START + 1);
  assert.equal(scene.received, 2);
});

test("nothing dated before the start is published, because the previous process may have published it", () => {
  const scene = new Scene();
  scene.tell("id", START);
  assert.deepEqual([scene.received, scene.missed], [0, 1], "the subscribers are sent a gap event");
});

test("--max-remembered limits the number of remembered ids, and additional ones replace the oldest", () => {
  const scene = new Scene(2);
  scene.tell("one", START + 1);
  scene.tell("two", START + 2);
  scene.tell("three", START + 3);
  assert.equal(
    scene.received,
    2,
    "within one second there is no space, and a message that might be published twice is not published",
  );
  assert.equal(scene.missed, 1, "the subscribers are sent a gap event");
  scene.now += 2000;
  scene.tell("four", scene.now);
  assert.equal(scene.received, 3);
  assert.ok(scene.broadcasts.isKnown("one", START + 1));
});

test("an envelope that this daemon signed is recognized when a member sends it back", () => {
  const scene = new Scene();
  scene.broadcasts.rememberPublished("id", START + 1);
  scene.tell("id", START + 1, false);
  assert.equal(scene.received, 0);
});

test("a gap event is sent immediately, and then at max once a second", () => {
  const scene = new Scene();
  for (let i = 0; i < 1000; i++) scene.tell(`id ${i}`, START);
  assert.equal(scene.missed, 1);
  scene.runTimer();
  assert.equal(scene.missed, 2, "the gaps after the first one are reported");
  scene.runTimer();
  scene.runTimer();
  assert.deepEqual([scene.missed, scene.timer], [2, null], "no further event is sent");
  scene.tell("late", START);
  assert.equal(scene.missed, 3);
});
