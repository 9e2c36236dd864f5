/** A queue in a stream of Redis. */
import { until } from "../../support/until.js";
import type { Outcome } from "../connections.js";
import { DAEMONS } from "./claim-rounds.js";
import type { Queue } from "./queue-play.js";
import { addBy, call, claimBy } from "./redis-claims.js";

const GROUP = "workers";

type Entry = [id: string, fields: string[] | null];
type Read = [stream: string, entries: Entry[]][];

const jobsIn = (entries: readonly Entry[]) =>
  entries.flatMap(([, fields]) => (fields === null ? [] : [fields[1] as string]));

/** A group of consumers, one at each daemon, that read new entries and acknowledge them. */
export const streamed: Queue = {
  name: "XREADGROUP and XACK",
  async prepare(round) {
    // A daemon that has just returned refuses writes for a moment.
    await until("a daemon creates the group", async () => {
      const daemon = round.random.oneOf(DAEMONS);
      const outcome = await call(round, daemon, "XGROUP", "CREATE", round.key, GROUP, "0", "MKSTREAM");
      return (
        outcome.kind === "answer" || (outcome.kind === "refused" && outcome.reason.startsWith("BUSYGROUP"))
      );
    });
  },
  add: (round, daemon, job) => addBy(round, daemon, ["XADD", round.key, "*", "job", job]),
  async claim(round, daemon) {
    const count = ["COUNT", String(round.random.between(1, 2))];
    const block = round.random.chance(0.5) ? ["BLOCK", "10"] : [];
    const from = ["GROUP", GROUP, String(daemon), ...count, ...block, "STREAMS", round.key, ">"];
    return await claimBy(round, daemon, [
      [["XREADGROUP", ...from], (reply) => (reply as Read).flatMap(([, entries]) => jobsIn(entries)), 2],
    ]);
  },
  async finish(round, daemon, job) {
    const entries = (await call(round, daemon, "XRANGE", round.key, "-", "+")) as Outcome<Entry[]>;
    if (entries.kind !== "answer") return;
    const id = entries.answer.find(([, fields]) => fields?.[1] === job)?.[0];
    if (id !== undefined) await call(round, daemon, "XACK", round.key, GROUP, id);
  },
  async remains(round) {
    const daemon = round.random.oneOf(DAEMONS);
    const held = await Promise.all(
      DAEMONS.map(async (consumer) => {
        const args = ["GROUP", GROUP, String(consumer), "STREAMS", round.key, "0"];
        const outcome = (await call(round, daemon, "XREADGROUP", ...args)) as Outcome<Read>;
        return outcome.kind === "answer" ? outcome.answer.flatMap(([, entries]) => jobsIn(entries)) : [];
      }),
    );
    const args = ["GROUP", GROUP, "last", "STREAMS", round.key, ">"];
    const outcome = (await call(round, daemon, "XREADGROUP", ...args)) as Outcome<Read | null>;
    const rest = outcome.kind === "answer" ? (outcome.answer ?? []) : [];
    return { waiting: rest.flatMap(([, entries]) => jobsIn(entries)), held, withoutData: 0 };
  },
};
