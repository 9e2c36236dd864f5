/** `dbsync import` of many entries into a daemon: how long it takes, and what the daemon keeps of it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { programPaths } from "../test/support/programs.js";
import { makeKeys } from "./daemon-cpu.js";
import { probeOf, startProbed } from "./probed-daemon.js";

/** An import that takes longer has failed. */
const LIMIT_MS = 300_000;

export interface Imported {
  readonly seconds: number;
  /** Bytes an entry: of live objects, and of the process after a collection. */
  readonly used: number;
  readonly resident: number;
}

/** @param port  of the JSON listener that has so many entries */
export async function measureImport(port: number, count: number): Promise<Imported> {
  const { keys, publicFolder } = makeKeys(1);
  await using target = await startProbed(["-s", publicFolder]);
  const before = await probeOf(target);
  const start = performance.now();
  await promisify(execFile)(
    process.execPath,
    [
      programPaths.dbsync,
      ...["import", `json://127.0.0.1:${port}`],
      ...["-s", `127.0.0.1:${target.port}`, "-k", keys[0]?.privateFile ?? ""],
    ],
    { timeout: LIMIT_MS },
  );
  const seconds = (performance.now() - start) / 1000;
  const after = await probeOf(target);
  return {
    seconds,
    used: (after.used - before.used) / count,
    resident: (after.resident - before.resident) / count,
  };
}
