/**
 * Runs clients of sentinels through kills, hangs, cuts and upgrades of their servers: at two daemons with --sentinel,
 * and at redis-server with a replica and three sentinels. It prints what was acknowledged and lost, the slowest call,
 * and the number of failed calls. test/libraries/npm contains the libraries
 * (`npm install --prefix test/libraries/npm`).
 */
import { DOWN_AFTER_MS, startDaemonPair, startRedisPair } from "../test/libraries/sentinel-pairs.js";
import {
  CLIENTS,
  type ClientName,
  EVENTS,
  type EventFigures,
  runTrial,
} from "../test/libraries/sentinel-trial.js";
import { isSmoke, report, table } from "./report.js";

const EVENTS_OF_SMOKE = 1;
/** The number of increments, and of jobs, in each event. */
const CALLS = isSmoke ? 40 : 200;
const HEAD = ["", "servers", "increments", "jobs", "lost", "done twice", "slowest call s", "failed calls"];

const seconds = (ms: number) => (ms / 1000).toFixed(1);
const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

function row(servers: string, figures: EventFigures): (string | number)[] {
  const { event, increments, jobs, lostIncrements, lostJobs, repeated, slowestMs, failed } = figures;
  const counts = [String(increments), jobs === 0 ? "" : String(jobs), String(lostIncrements + lostJobs)];
  return [
    event,
    servers,
    ...counts,
    String(repeated),
    seconds(slowestMs),
    String(sum(Object.values(failed))),
  ];
}

function total(all: readonly EventFigures[]): EventFigures {
  const of = (count: (figures: EventFigures) => number) => sum(all.map(count));
  return {
    event: "all",
    increments: of(({ increments }) => increments),
    jobs: of(({ jobs }) => jobs),
    lostIncrements: of(({ lostIncrements }) => lostIncrements),
    lostJobs: of(({ lostJobs }) => lostJobs),
    repeated: of(({ repeated }) => repeated),
    slowestMs: Math.max(...all.map(({ slowestMs }) => slowestMs)),
    failed: { all: of(({ failed }) => sum(Object.values(failed))) },
  };
}

const sections: string[] = [];
for (const client of Object.keys(CLIENTS) as ClientName[]) {
  const events = isSmoke ? EVENTS.slice(0, EVENTS_OF_SMOKE) : EVENTS;
  const byServers: [string, readonly EventFigures[]][] = [];
  for (const [servers, start] of [
    ["dbsyncd", startDaemonPair],
    ["redis-server", startRedisPair],
  ] as const) {
    await using pair = await start();
    byServers.push([servers, await runTrial(pair, { client, events, calls: CALLS })]);
  }
  const rows = [...events.keys()].flatMap((index) =>
    byServers.map(([servers, figures]) => row(servers, figures[index] as EventFigures)),
  );
  const totals = byServers.map(([servers, figures]) => row(servers, total(figures)));
  sections.push(`${client}:\n\n${table(HEAD, [...rows, ...totals])}`);
  for (const [servers, figures] of byServers)
    for (const { event, failed } of figures)
      for (const [error, count] of Object.entries(failed))
        console.log(`${servers}, ${event}: ${count} × ${error}`);
}
report(
  "failover",
  "Failover of clients with sentinels (bench/failover.ts)",
  `A pair of daemons with \`--sentinel\`, and redis-server with a replica and three sentinels (\`down-after-milliseconds ${DOWN_AFTER_MS}\`, quorum 2), one after the other. Both sync each write before the answer. A client increments fields, and adds and does jobs, with the settings of docs/active-active.md, one call after the other every 10 ms. During each event, at least ${CALLS} increments and ${CALLS} jobs are acknowledged. Lost: acknowledged increments that a server does not have at the end, and acknowledged jobs that no worker did. Done twice: increments that took effect twice because a client repeated them, and jobs that were done twice. For the upgrade of redis-server, \`SENTINEL FAILOVER\` precedes the stop of the master. The old master accepted writes for 10 s more, until the sentinels demoted it: these are lost, and so are those of a cut that ends with a kill.\n\n${sections.join("\n\n")}\n`,
);
