/**
 * `npm run bench -- proxy`: measures the SQL cache of dbsync-proxy. It compares cached reads, uncached reads and
 * reads of complete tables with recorded figures of the original.
 */
import { freePort } from "../test/support/free-port.js";
import { programPaths } from "../test/support/programs.js";
import { isSmoke, machine, measureOver, median, report, table } from "./measure.js";
import { type Server, startDaemon, startProgram } from "./processes.js";
import { makeDatabase, SqlClient } from "./sql-client.js";

const ROUNDS = isSmoke ? 1 : 3;
const SECONDS = isSmoke ? 0.2 : 2;
const CLIENTS = 10;
const ROWS = 1_000;
const HIT_GOAL = 80_000;

function startCache(args: readonly string[]): Promise<Server> {
  const options = ["--listen", "0", "--log-level", "info", "--log-format", "json"];
  return startProgram([programPaths["dbsync-proxy"], "cache", ...args, ...options]);
}

async function sqlTable(): Promise<string> {
  const sql = await freePort();
  await using _daemon = await startDaemon(["--sql", String(sql), "--sql-language", "en"]);
  await using cache = await startCache(["--upstream", `127.0.0.1:${sql}`, "--life", "600000"]);
  await makeDatabase(sql);
  using first = await SqlClient.open(sql);
  await first.execute(["create table t (k number primary key, x text(1,20))"]);
  const values = Array.from({ length: ROWS }, (_, i) => `(${i},'row ${i}')`);
  await first.execute([`insert into t values ${values.join(",")}`]);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => SqlClient.open(cache.port)));
  let turn = 0;
  const rate = async (callers: number, together: number, statement: () => string) => {
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const figures = await measureOver(clients.slice(0, callers), SECONDS, (client) =>
        client.execute(Array.from({ length: together }, statement)),
      );
      rates.push(figures.perSecond * together);
    }
    return median(rates);
  };
  const hit = () => `select * from t where k = ${turn++ % 100}`;
  const miss = () => `select * from t where k = ${turn++ % ROWS} limit 0 ${1_000_000 + turn}`;
  const completeTable = () => "select * from t";
  const rows = [
    ["hit, 1 client", await rate(1, 1, hit), "19,586 to 47,874", ""],
    ["hit, 10 clients", await rate(CLIENTS, 1, hit), "57,206 to 80,364", HIT_GOAL],
    ["hit, 10 clients, 16 statements together", await rate(CLIENTS, 16, hit), "–", HIT_GOAL],
    ["miss, 10 clients", await rate(CLIENTS, 1, miss), "225", ""],
    [`hit of ${ROWS} rows, 1 client`, await rate(1, 1, completeTable), "22", ""],
  ];
  for (const client of clients) client[Symbol.dispose]();
  return table(
    ["SQL through the cache", "a second", "the original", "goal"],
    rows.map((row) =>
      row.map((cell) => (typeof cell === "number" ? String(Math.round(cell)) : (cell as string))),
    ),
  );
}

const note = "Compare figures within this run only.";
report("proxy", `${machine()} ${note}\n\n${await sqlTable()}`);
