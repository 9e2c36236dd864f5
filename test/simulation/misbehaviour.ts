/** The independent actions of a byzantine member: it writes forged entries, and certifies its own snapshots. */
import { Forger } from "./forger.js";
import { Liar } from "./liar.js";
import type { Host, Misbehaviour, World } from "./world.js";

/** The share of ticks in which it writes. */
const WRITES = 0.02;

export function misbehave(host: Host, world: World): Misbehaviour {
  const { scheduler, settings, random } = world;
  const forger = new Forger(world);
  const liar = new Liar(world, host, forger);
  const hasHistory = settings.lies.has("history");
  return {
    genesis: hasHistory ? forger.genesis : world.genesis,
    rewrite: (frame, to) => liar.alter(frame, to),
    tick: (timeline) => {
      if (!hasHistory || scheduler.time < settings.liesFromMs) return;
      if (random.chance(WRITES)) timeline.receive([forger.forge()], host.identity.id);
      timeline.handover.retainFrom(Number.POSITIVE_INFINITY);
      for (const { at } of timeline.handover.cuts) timeline.handover.certify(at);
    },
  };
}
