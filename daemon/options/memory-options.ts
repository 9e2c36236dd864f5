/** The option that says what happens at --maxmemory, and which combinations with it make sense. */
import { Option } from "commander";
import { StartError } from "../process/start-error.js";
import { EVICTION_POLICIES, type EvictionPolicy } from "./eviction-policy.js";
import type { Settings } from "./settings.js";
import { hasTimeline } from "./timeline-options.js";

/** What commander leaves. */
export interface RawMemoryOptions {
  maxmemoryPolicy: EvictionPolicy;
}

/** @param group  where the help shows it */
export function memoryOptions(group: string): Option[] {
  return [
    new Option("--maxmemory-policy <policy>", "keys that go at --maxmemory; noeviction: writes are refused")
      .choices(EVICTION_POLICIES)
      .default("noeviction" satisfies EvictionPolicy)
      .env("DBSYNCD_MAXMEMORY_POLICY")
      .helpGroup(group),
  ];
}

/** @throws StartError  with the cures */
export function validateMemory(settings: Settings): void {
  const { limits, maxmemoryPolicy, database } = settings;
  if (limits.maxmemory > 0 && database.some(({ kind }) => kind !== "memory"))
    fail(
      "--maxmemory bounds the database in this daemon's memory: with -d redis, set maxmemory of that server.",
    );
  if (maxmemoryPolicy === "noeviction") return;
  if (hasTimeline(settings))
    fail(
      `--maxmemory-policy ${maxmemoryPolicy} would drop keys here and nowhere else, so this daemon would differ from ` +
        "its peers and its own folder. With --data or --peer leave it out.",
    );
  if (limits.maxmemory === 0)
    fail(`--maxmemory-policy ${maxmemoryPolicy} says what goes at --maxmemory: give that too.`);
}

function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}
