/** The biggest self-times of a CPU profile of this process. */
import { Session } from "node:inspector/promises";
import { basename } from "node:path";

const SAMPLE_MICROSECONDS = 200;

export interface SelfTime {
  readonly name: string;
  /** Part of all samples, idle ones included. */
  readonly share: number;
}

export async function profiled(work: () => Promise<unknown>, most = 10): Promise<SelfTime[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: SAMPLE_MICROSECONDS });
  await session.post("Profiler.start");
  await work();
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();

  const samples = new Map<number, number>();
  for (const id of profile.samples ?? []) samples.set(id, (samples.get(id) ?? 0) + 1);
  const total = profile.samples?.length ?? 1;
  const byName = new Map<string, number>();
  for (const { id, callFrame } of profile.nodes) {
    const place = callFrame.url === "" ? "" : ` (${basename(callFrame.url)})`;
    const name = `${callFrame.functionName || "anonymous"}${place}`;
    byName.set(name, (byName.get(name) ?? 0) + (samples.get(id) ?? 0));
  }
  return [...byName]
    .map(([name, count]) => ({ name, share: count / total }))
    .sort((a, b) => b.share - a.share)
    .slice(0, most);
}
