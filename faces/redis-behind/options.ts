/** The option of a Redis as the database (-d redis). */
import { fail } from "../../daemon/net/process/service.js";
import { isRedis } from "../../daemon/options/database-list.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { hasTimeline, type Settings } from "../../daemon/options/settings.js";
import { plainForm } from "../../daemon/options/value-forms.js";

/** Maximum number of replicas that a write can wait for. */
const REPLICAS_MAX = 16;

export const REDIS_BEHIND_OPTIONS = {
  waitReplicas: row({
    flags: "--wait-replicas <number>",
    help: "number of replicas of the Redis that must confirm a write before it is answered; 0: none",
    form: plainForm(parseReplicas),
    fallback: 0,
    reload: "restart",
    example: "1",
    needs: ["database"],
    section: "Redis as the database:",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof REDIS_BEHIND_OPTIONS> {}
}

function parseReplicas(value: string): number {
  if (!/^\d{1,2}$/.test(value) || Number(value) > REPLICAS_MAX)
    throw new RangeError(`Expected a number from 0 to ${REPLICAS_MAX}.`);
  return Number(value);
}

/** Checks that there is a Redis server for --wait-replicas. @throws StartError */
export function checkRedisBehindOptions(settings: Settings): void {
  // The option cannot be combined with a timeline, because answers do not wait for replicas of a mirror.
  const isUsed = !hasTimeline(settings) && settings.database.some(({ kind }) => isRedis(kind));
  if (settings.waitReplicas > 0 && !isUsed)
    fail("--wait-replicas needs a Redis server: add -d redis:host:port, or leave it out.");
}
