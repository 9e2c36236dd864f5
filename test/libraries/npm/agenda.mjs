/** agenda, as in its README: jobs that run once or repeatedly. Argument: the port. */
import assert from "node:assert/strict";
import { MongoBackend } from "@agendajs/mongo-backend";
import { Agenda } from "agenda";
import { MongoClient } from "mongodb";

const url = `mongodb://127.0.0.1:${process.argv[2]}/jobs`;
const client = new MongoClient(url);
await client.db("jobs").dropDatabase();
const agenda = new Agenda({ backend: new MongoBackend({ address: url }), processEvery: 50 });
const runs = [];
const twice = new Promise((resolve) => {
  agenda.define("greet", async (job) => {
    runs.push(job.attrs.data.to);
    if (runs.filter((to) => to === "often").length >= 2) resolve();
  });
});
await agenda.start();
await agenda.now("greet", { to: "now" });
await agenda.every("1 second", "greet", { to: "often" });
await twice;
assert.ok(runs.includes("now"), runs.join(", "));
const jobs = await agenda.queryJobs({ name: "greet" });
assert.ok(jobs.total >= 1, JSON.stringify(jobs));
await agenda.cancel({ name: "greet" });
await agenda.stop();
assert.equal(await client.db("jobs").collection("agendaJobs").countDocuments({ name: "greet" }), 0);
await client.close();
// agenda's own connection stays open and would keep the process alive.
process.exit(0);
