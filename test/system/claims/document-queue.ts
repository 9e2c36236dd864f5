/** A queue in a collection of MongoDB. Each claim uses one of the usual calls of a driver, at random. */
import type { Collection, MongoClient } from "mongodb";
import { DAEMONS, type Round } from "./claim-rounds.js";
import type { Queue } from "./queue-play.js";

interface Job {
  readonly _id: string;
  readonly state: "new" | "taken";
  readonly worker?: number;
  readonly data?: string;
}

const NEW = { state: "new" } as const;

type Claim = (jobs: Collection<Job>, worker: number) => Promise<string | null>;

const takenBy = (worker: number) => ({ $set: { state: "taken" as const, worker } });

/** The calls that claim a job. Each returns the job's id, or null. */
const CLAIMS: readonly Claim[] = [
  async (jobs, worker) =>
    (await jobs.findOneAndUpdate(NEW, takenBy(worker), { sort: { _id: 1 }, returnDocument: "after" }))?._id ??
    null,
  async (jobs) => (await jobs.findOneAndDelete(NEW, { sort: { _id: -1 } }))?._id ?? null,
  async (jobs, worker) => {
    const found = await jobs.findOne(NEW);
    if (found === null) return null;
    const { _id } = found;
    return (await jobs.updateOne({ _id, ...NEW }, takenBy(worker))).modifiedCount === 1 ? _id : null;
  },
  async (jobs) => {
    const found = await jobs.findOne(NEW);
    if (found === null) return null;
    const { _id } = found;
    return (await jobs.deleteOne({ _id, ...NEW })).deletedCount === 1 ? _id : null;
  },
];

const jobsOf = ({ key }: Round, client: MongoClient) => client.db("queues").collection<Job>(`jobs-${key}`);

export const documents: Queue = {
  name: "findOneAndUpdate, findOneAndDelete, updateOne and deleteOne",
  async add(round, daemon, job) {
    const add = (client: MongoClient) => jobsOf(round, client).insertOne({ _id: job, ...NEW, data: "data" });
    return await round.connections.documents(daemon, add);
  },
  async claim(round, daemon) {
    const claim = round.random.oneOf(CLAIMS);
    const outcome = await round.connections.documents(daemon, (client) =>
      claim(jobsOf(round, client), daemon),
    );
    if (outcome.kind !== "answer") return outcome;
    return { kind: "answer", answer: outcome.answer === null ? [] : [outcome.answer] };
  },
  async finish(round, daemon, job) {
    // The filter does not contain the worker: the first worker that has done the work deletes the job.
    await round.connections.documents(daemon, (client) => jobsOf(round, client).deleteOne({ _id: job }));
  },
  async remains(round) {
    const client = round.connections.mongo(round.random.oneOf(DAEMONS));
    const found = await jobsOf(round, client).find().toArray();
    const held = DAEMONS.map((daemon) =>
      found.filter(({ state, worker }) => state === "taken" && worker === daemon).map(({ _id }) => _id),
    );
    const waiting = found.filter(({ state }) => state !== "taken").map(({ _id }) => _id);
    return { waiting, held, withoutData: found.filter(({ data }) => data === undefined).length };
  },
};
