/**
 * The independent actions of a byzantine member: it writes forged entries and decided keys without a decision, and
 * certifies its own snapshots.
 */
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { randomBytes } from "./cast.js";
import { Forger } from "./forger.js";
import { Liar } from "./liar.js";
import { sign } from "./signatures.js";
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
      if (scheduler.time < settings.liesFromMs) return;
      if (settings.lies.has("void-writes") && random.chance(WRITES))
        timeline.receive([undecidedWrite(host, world)], host.identity.id);
      if (!hasHistory) return;
      if (random.chance(WRITES)) timeline.receive([forger.forge()], host.identity.id);
      timeline.handover.retainFrom(Number.POSITIVE_INFINITY);
      for (const { at } of timeline.handover.cuts) timeline.handover.certify(at);
    },
  };
}

/** Returns a write to a key that a pattern may decide, with the member's own key and without a decision. */
function undecidedWrite(host: Host, { genesis, ledger, random, settings }: World): Entry {
  const at = Math.max(1, host.clock() + random.oneOf([0, 1, 1_000]) - random.below(settings.window.past));
  const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), at, seq: 0 };
  const commands = [
    ["SET", `decided:a:x${random.below(2)}`, "void"],
    ["INCRBY", `decided:b:n${random.below(2)}`, "100"],
    ["DEL", `decided:a:l${random.below(2)}`],
    ["FLUSHALL"],
    ["SET", `plain:x${random.below(2)}`, "of the liar"],
  ];
  const several = Array.from({ length: 1 + random.below(3) }, () => random.oneOf(commands));
  const entry = sign(host.identity, header, several);
  ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
  return entry;
}
