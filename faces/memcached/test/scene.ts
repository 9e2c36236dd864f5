/** Starts a memcached listener in the test process, with its own memory and clock. */

import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { startUserListener, type UserScene, type UserSceneOptions } from "../../../test/faces/user-scene.js";
import { MemcachedListener } from "../memcached-listener.js";

export type SceneOptions = UserSceneOptions;

export interface MemcachedScene extends UserScene<MemcachedListener> {
  /** The clock, in milliseconds since 1970; tests may set it. */
  now: number;
}

const NOON = Date.UTC(2030, 0, 1, 12);

export async function startMemcached(
  options: SceneOptions = {},
  replaced: Partial<Environment> = {},
): Promise<MemcachedScene> {
  const time = { now: NOON };
  const environment = { ...realEnvironment, clock: () => time.now, ...replaced };
  const scene = await startUserListener(options, (parts) => new MemcachedListener(parts), environment);
  return Object.assign(time, scene);
}
