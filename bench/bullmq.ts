/** BullMQ for measurements, from test/libraries/npm, if it is installed there. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { repositoryRoot } from "../test/support/repository.js";

export interface Queue {
  addBulk(jobs: readonly object[]): Promise<unknown>;
  close(): Promise<void>;
}

export interface Worker {
  waitUntilReady(): Promise<unknown>;
  run(): Promise<void>;
  close(force: boolean): Promise<void>;
  on(event: "completed", listener: (job: { readonly id: string }) => void): unknown;
  on(event: "error", listener: (problem: Error) => void): unknown;
}

/** The part of BullMQ that is used. */
export interface BullMq {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (name: string, processor: () => Promise<void>, options: object) => Worker;
}

/** Loads BullMQ. @returns null if it is not installed */
export async function loadBullMq(): Promise<BullMq | null> {
  const folder = join(repositoryRoot, "test", "libraries", "npm");
  try {
    const path = createRequire(join(folder, "package.json")).resolve("bullmq");
    return (await import(pathToFileURL(path).href)) as BullMq;
  } catch {
    return null;
  }
}

/** Returns the options that name a server. */
export const connectionTo = (port: number) => ({ connection: { host: "127.0.0.1", port } });

/** Returns jobs with a short text each. */
export const makeJobs = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: "paint", data: { colour: `colour ${i}` } }));
