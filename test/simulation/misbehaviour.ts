/** How a member that has turned bad differs from others in what it does by itself: it writes its own history, and forgets as it likes. */
import { Forger } from "./forger.js";
import { Liar } from "./liar.js";
import type { Host, Misbehaviour, World } from "./world.js";

/** Of the ticks, those in which it writes something. */
const WRITES = 0.02;

export function misbehave(host: Host, world: World): Misbehaviour {
  const { scheduler, settings, random } = world;
  const forger = new Forger(world);
  const liar = new Liar(world, host, forger);
  const hasHistory = settings.lies.has("history");
  return {
    genesis: hasHistory ? forger.genesis : world.genesis,
    says: (frame, to) => liar.alter(frame, to),
    tick: (timeline) => {
      if (!hasHistory || scheduler.time < settings.liesFromMs) return;
      if (random.chance(WRITES)) timeline.receive([forger.forge()], host.identity.id);
      timeline.handover.keepFrom(Number.POSITIVE_INFINITY);
      for (const { at } of timeline.handover.cuts) timeline.handover.certify(at);
    },
  };
}
