/**
 * Many client processes, each with a key of its own and one call in flight: every call is an envelope, so a daemon's work is
 * verifying. What a daemon reaches is told per second of its own CPU time, since the clients need the cores as well.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { buildRoot } from "../test/support/repository.js";
import { cpuSeconds, type KeyPair, makeKeys, verifySeconds } from "./daemon-cpu.js";
import { startDaemon } from "./processes.js";
import { table } from "./report.js";

export async function manyProcesses(load: {
  processes: number;
  seconds: number;
  daemons: number;
}): Promise<string> {
  const { keys, publicFolder } = makeKeys(load.processes);
  const daemons = await Promise.all(
    Array.from({ length: load.daemons }, () => startDaemon(["-s", publicFolder])),
  );
  try {
    const servers = daemons.map(({ port }) => `127.0.0.1:${port}`).join(",");
    const clients = keys.map(({ privateFile }) => startClient(servers, privateFile, load.seconds));
    await Promise.all(clients.map(({ ready }) => ready));
    const before = daemons.map(({ process }) => cpuSeconds(process.pid as number));
    for (const client of clients) client.go();
    const calls = (await Promise.all(clients.map(({ calls }) => calls))).reduce(
      (sum, count) => sum + count,
      0,
    );
    const cpu = daemons.map(({ process }, i) => cpuSeconds(process.pid as number) - (before[i] as number));
    return text(load, calls, cpu, verifySeconds(keys[0] as KeyPair));
  } finally {
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
}

function startClient(servers: string, key: string, seconds: number) {
  const args = [join(buildRoot, "bench/one-client.js"), servers, key, String(seconds)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  let isReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
    if (output.startsWith("ready")) isReady();
  });
  const calls = new Promise<number>((resolve, reject) => {
    child.once("exit", (code) =>
      code === 0 ? resolve(Number(output.split("\n")[1])) : reject(new Error(`client: ${code}`)),
    );
  });
  return { ready, calls, go: () => child.stdin.end("go\n") };
}

function text(
  load: { processes: number; seconds: number },
  calls: number,
  cpu: number[],
  verifying: number,
): string {
  const perDaemonSecond = Math.min(...cpu.map((seconds) => calls / seconds));
  const share = perDaemonSecond * verifying;
  return `## ${load.processes} client processes, a key each, one call in flight each

Each call is an envelope of its own, so it costs each daemon one verification.

${table(
  ["", "measured"],
  [
    ["calls per second, all together", Math.round(calls / load.seconds)],
    ["one bare verification, µs", verifying * 1e6],
    ["envelopes per second of a daemon's CPU time", Math.round(perDaemonSecond)],
    ["share of 1 / verify time", `${(share * 100).toFixed(0)} %`],
  ],
)}

Goal: at least 70 % of 1 / verify time (${share >= 0.7 ? "met" : "missed"}).`;
}
