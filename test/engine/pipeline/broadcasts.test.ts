/** Tests that an envelope of messages is delivered once, whatever its source and however late it is repeated. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Channels, type Said } from "../../../engine/channels/channels.js";
import { Broadcasts } from "../../../engine/pipeline/broadcasts.js";
import type { Environment } from "../../../net/process/environment.js";
import { double } from "../../support/double.js";

const NEWS: Said = { kind: "channel", channel: "news", text: "text" };
const START = 1_000_000;

class Scene {
  now = START;
  heard = 0;
  passed = 0;
  missed = 0;
  readonly broadcasts: Broadcasts;
  timer: (() => void) | null = null;

  constructor(most = 100) {
    const channels = new Channels();
    channels.add("channel", "news", {
      hear: () => this.heard++,
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
    this.broadcasts = new Broadcasts({ channels, environment, window, most });
    this.broadcasts.passOn = () => this.passed++;
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

test("the first copy is told and handed on; further ones are answered with who hears the channel", () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell("id", START + 1), [1]);
  assert.deepEqual(scene.tell("id", START + 1), [1]);
  assert.deepEqual([scene.heard, scene.passed, scene.missed], [1, 1, 0]);
});

test("what lacks is told before what is said behind it, however soon that comes", () => {
  const scene = new Scene();
  scene.broadcasts.miss();
  scene.broadcasts.miss();
  assert.deepEqual([scene.missed, scene.heard], [1, 0]);
  scene.tell("id", START + 1);
  assert.deepEqual([scene.missed, scene.heard], [2, 1]);
  scene.tell("other", START + 2);
  assert.deepEqual([scene.missed, scene.heard], [2, 2]);
});

test("what a member hands over is not handed on, and the client's own copy is not told again", () => {
  const scene = new Scene();
  scene.tell("id", START + 1, false);
  scene.tell("id", START + 1);
  assert.deepEqual([scene.heard, scene.passed], [1, 0]);
});

test("what is forgotten is never told again, whatever the clock does", () => {
  const scene = new Scene();
  scene.tell("id", START + 1);
  scene.now += 60_000;
  scene.tell("other", scene.now);
  assert.ok(scene.broadcasts.isKnown("id", START + 1));
  scene.now = START + 2;
  scene.tell("id", START + 1);
  assert.equal(scene.heard, 2);
});

test("nothing from before the start is told: the daemon that ran before may have told it", () => {
  const scene = new Scene();
  scene.tell("id", START);
  assert.deepEqual([scene.heard, scene.missed], [0, 1], "and that it may lack is");
});

test("as many ids are remembered as --max-remembered says, and more means less of the past", () => {
  const scene = new Scene(2);
  scene.tell("one", START + 1);
  scene.tell("two", START + 2);
  scene.tell("three", START + 3);
  assert.equal(
    scene.heard,
    2,
    "within one second there is no room, and what could be told twice is not told",
  );
  assert.equal(scene.missed, 1, "but that one lacks");
  scene.now += 2000;
  scene.tell("four", scene.now);
  assert.equal(scene.heard, 3);
  assert.ok(scene.broadcasts.isKnown("one", START + 1));
});

test("what was signed here is known when it comes back", () => {
  const scene = new Scene();
  scene.broadcasts.note("id", START + 1);
  scene.tell("id", START + 1, false);
  assert.equal(scene.heard, 0);
});

test("that something lacks is told at once, and then once a second, however often it is", () => {
  const scene = new Scene();
  for (let i = 0; i < 1000; i++) scene.tell(`id ${i}`, START);
  assert.equal(scene.missed, 1);
  scene.runTimer();
  assert.equal(scene.missed, 2, "what lacked behind the first is told");
  scene.runTimer();
  scene.runTimer();
  assert.deepEqual([scene.missed, scene.timer], [2, null], "and nothing more than that");
  scene.tell("late", START);
  assert.equal(scene.missed, 3);
});
