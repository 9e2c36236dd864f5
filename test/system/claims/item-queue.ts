/** A queue in items of memcached: a worker replaces the item of a waiting job, if no other client has changed it. */
import type { Outcome } from "../connections.js";
import { DAEMONS, type Round } from "./claim-rounds.js";
import type { Queue } from "./queue-play.js";

const WAITING = "waiting";

const itemOf = ({ key }: Round, job: string) => `${key}:${job}`;
const jobsOf = ({ number, jobs }: Round) => Array.from({ length: jobs }, (_, job) => `${number}-${job}`);
const store = (command: string, item: string, value: string, unique = "") =>
  `${command} ${item} 0 0 ${value.length}${unique}\r\n${value}\r\n`;

/** Reads an item. @returns its value and its number, or null if there is none */
async function read(round: Round, daemon: number, job: string) {
  const outcome = await round.connections.memcached(daemon, `gets ${itemOf(round, job)}\r\n`);
  const answer = outcome.kind === "answer" ? outcome.answer : "";
  const [, unique, value] = /^VALUE \S+ \d+ \d+ (\d+)\r\n(.*)\r\n/.exec(answer) ?? [];
  return unique === undefined || value === undefined ? null : { unique, value };
}

export const items: Queue = {
  name: "cas",
  async add(round, daemon, job) {
    const outcome = await round.connections.memcached(daemon, store("add", itemOf(round, job), WAITING));
    return outcome.kind === "answer" && outcome.answer === "STORED\r\n";
  },
  async claim(round, daemon): Promise<Outcome<readonly string[]>> {
    const job = round.random.oneOf(jobsOf(round));
    const item = await read(round, daemon, job);
    if (item?.value !== WAITING) return { kind: "answer", answer: [] };
    const request = store("cas", itemOf(round, job), String(daemon), ` ${item.unique}`);
    const outcome = await round.connections.memcached(daemon, request);
    if (outcome.kind !== "answer") return outcome;
    return { kind: "answer", answer: outcome.answer === "STORED\r\n" ? [job] : [] };
  },
  async remains(round) {
    const found = await Promise.all(
      jobsOf(round).map(async (job) => ({
        job,
        value: (await read(round, round.random.oneOf(DAEMONS), job))?.value,
      })),
    );
    const withValue = (value: string) => found.filter((one) => one.value === value).map(({ job }) => job);
    return {
      waiting: withValue(WAITING),
      held: DAEMONS.map((daemon) => withValue(String(daemon))),
      withoutData: 0,
    };
  },
};
