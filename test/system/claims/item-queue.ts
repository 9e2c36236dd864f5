/** A queue in items of memcached: a worker replaces the item of a waiting job, if no other client has changed it. */
import { DAEMONS, type Round } from "./claim-rounds.js";
import { jobsOf, type Queue } from "./queue-play.js";

const WAITING = "waiting";

const itemOf = ({ key }: Round, job: string) => `${key}:${job}`;

const store = (command: string, item: string, value: string, unique = "") =>
  `${command} ${item} 0 0 ${value.length}${unique}\r\n${value}\r\n`;

/** Reads the items of all jobs: of each one the job, its value, and its number for `cas`. */
async function readItems(round: Round, daemon: number) {
  const names = jobsOf(round).map((job) => itemOf(round, job));
  const outcome = await round.connections.memcached(daemon, `gets ${names.join(" ")}\r\n`);
  if (outcome.kind !== "answer") return outcome;
  const found = outcome.answer.matchAll(/^VALUE \S+:(\S+) \d+ \d+ (\d+)\r\n(.*)\r\n/gm);
  const answer = [...found].map(([, job = "", unique = "", value = ""]) => ({ job, unique, value }));
  return { kind: "answer", answer } as const;
}

export const items: Queue = {
  name: "cas",
  add: (round, daemon, job) => round.connections.memcached(daemon, store("add", itemOf(round, job), WAITING)),
  async claim(round, daemon) {
    const found = await readItems(round, daemon);
    if (found.kind === "unanswered") return { kind: "answer", answer: [] };
    if (found.kind === "refused") return found;
    const waiting = found.answer.filter(({ value }) => value === WAITING);
    if (waiting.length === 0) return { kind: "answer", answer: [] };

    const { job, unique } = round.random.oneOf(waiting);
    const request = store("cas", itemOf(round, job), String(daemon), ` ${unique}`);
    const outcome = await round.connections.memcached(daemon, request);
    if (outcome.kind !== "answer") return outcome;
    return { kind: "answer", answer: outcome.answer === "STORED\r\n" ? [job] : [] };
  },
  async remains(round) {
    const found = await readItems(round, round.random.oneOf(DAEMONS));
    if (found.kind !== "answer") throw new Error(`gets: ${JSON.stringify(found)}`);
    const withValue = (value: string) =>
      found.answer.filter((item) => item.value === value).map(({ job }) => job);
    return {
      waiting: withValue(WAITING),
      held: DAEMONS.map((worker) => withValue(String(worker))),
      withoutData: 0,
    };
  },
};
