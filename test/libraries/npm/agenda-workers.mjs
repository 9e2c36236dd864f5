/** Workers of agenda at several servers, for test/system/claims. Requests and reports are those of bullmq-workers.mjs. */
import { createInterface } from "node:readline";
import { MongoBackend } from "@agendajs/mongo-backend";
import { Agenda } from "agenda";
import { MongoClient } from "mongodb";

/**
 * Milliseconds between the searches for jobs, and after which the lock of a job without a living worker expires. A
 * worker whose locks expire before it runs their jobs, on a busy machine, takes no more jobs. A write to a decided key
 * may still take effect after 20 s, and must not change a job that another worker has locked since.
 */
const SEARCH_MS = 300;
const LOCK_MS = 60_000;
const RETRY_MS = 100;
const JOBS_AT_ONCE = 5;
const ports = process.argv.slice(2).map(Number);
const report = (line) => console.log(JSON.stringify(line));
const urlOf = (port) => `mongodb://127.0.0.1:${port}/jobs?directConnection=true`;
const agendas = ports.map(
  (port) =>
    new Agenda({
      backend: new MongoBackend({ address: urlOf(port) }),
      processEvery: SEARCH_MS,
      defaultLockLifetime: LOCK_MS,
      // A lock must not expire while its job waits for other jobs.
      defaultConcurrency: JOBS_AT_ONCE,
      defaultLockLimit: JOBS_AT_ONCE,
    }),
);
for (const agenda of agendas) {
  agenda.on("error", () => {});
  agenda.define("job", async ({ attrs: { data } }) => {
    report({ ran: data?.number ?? "unknown", hasData: data?.text === "data" });
  });
}

/**
 * Stores the end of a job again until that succeeds, as long as the worker has the job's lock. agenda ignores errors of
 * this write, and would run the job again when the lock expires.
 */
function storeEnds({ db }) {
  const saveJobState = db.saveJobState.bind(db);
  db.saveJobState = async (job, options) => {
    const deadline = Date.now() + LOCK_MS / 2;
    for (;;) {
      try {
        return await saveJobState(job, options);
      } catch (reason) {
        const hasEnded = job.lockedAt == null && job.lastFinishedAt != null;
        if (!hasEnded || Date.now() > deadline) throw reason;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  };
}

/** The date at which each job was last locked, in milliseconds. */
const lockedAt = new Map();

/** Reports each job as stalled that a worker receives because an earlier lock has expired. */
function reportClaims({ db }) {
  const getNextJobToRun = db.getNextJobToRun.bind(db);
  db.getNextJobToRun = async (...args) => {
    const job = await getNextJobToRun(...args);
    if (job === undefined) return job;
    const number = job.data?.number ?? "unknown";
    const before = lockedAt.get(number);
    lockedAt.set(number, job.lockedAt.getTime());
    if (before !== undefined && job.lockedAt.getTime() - before >= LOCK_MS) report({ stalled: number });
    return job;
  };
}

// agenda does not catch the error of a job whose connection was closed. Another worker runs the job again.
process.on("unhandledRejection", () => {});

async function add({ job, daemon }) {
  try {
    await agendas[daemon].now("job", { number: job, text: "data" });
    report({ added: job });
  } catch (reason) {
    report({ failed: job, reason: String(reason) });
  }
}

/** Counts the documents without data. */
async function check() {
  const client = new MongoClient(urlOf(ports[0]));
  const jobs = client.db("jobs").collection("agendaJobs");
  const isIncomplete = { $or: [{ "data.number": { $exists: false } }, { name: { $exists: false } }] };
  const withoutData = await jobs.countDocuments(isIncomplete);
  const examples = await jobs.find(isIncomplete).limit(3).toArray();
  const waiting = await jobs.countDocuments({ lastFinishedAt: null });
  await client.close();
  report({ withoutData, withoutLifetime: 0, waiting: { waiting }, examples });
}

for (const agenda of agendas) {
  storeEnds(agenda);
  reportClaims(agenda);
  await agenda.start();
  report({ ready: true });
}
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "add") void add(request);
  if (request.do === "stop") {
    await Promise.allSettled(agendas.map((agenda) => agenda.stop()));
    report({ stopped: true });
  }
  if (request.do === "check") await check();
}
process.exit(0);
