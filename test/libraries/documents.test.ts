/**
 * Runs the first examples from the manuals of MongoDB drivers, and of libraries that use a driver, against daemons.
 * Each program exits with 0 if all its checks pass.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { skipUnlessFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { DOCUMENT_SERVERS, type Served } from "./servers.js";

const folder = join(repositoryRoot, "test", "libraries");
const isInstalled = existsSync(join(folder, "npm", "node_modules", "mongoose"));
const ofNpm = skipUnlessFull || (isInstalled ? false : "test/libraries/npm is not installed");

/** Files below test/libraries and the programs that run them. The newest driver for Node.js has separate tests. */
const LIBRARIES = [
  {
    name: "the driver of Node.js, version 6",
    file: "npm/mongodb-6.mjs",
    program: process.execPath,
    skip: ofNpm,
  },
  { name: "mongoose", file: "npm/mongoose.mjs", program: process.execPath, skip: ofNpm },
  { name: "connect-mongo", file: "npm/connect-mongo.mjs", program: process.execPath, skip: ofNpm },
  { name: "agenda", file: "npm/agenda.mjs", program: process.execPath, skip: ofNpm },
  {
    name: "pymongo",
    file: "python/mongo_documents.py",
    program: "/usr/bin/python3",
    skip: skipUnlessFull || skipWithout("python3-pymongo"),
  },
];

const servers: { readonly name: string; readonly served: Served }[] = [];

before(async () => {
  if (LIBRARIES.every(({ skip }) => skip)) return;
  for (const { name, start } of DOCUMENT_SERVERS) servers.push({ name, served: await start() });
});

after(async () => {
  for (const { served } of servers) await served[Symbol.asyncDispose]();
});

for (const { name, file, program, skip } of LIBRARIES) {
  test(`${name} passes the first examples of its manual`, { skip }, async () => {
    for (const { name: server, served } of servers) {
      const ended = await run(program, [join(folder, file), String(served.port)], {
        env: { PYTHONDONTWRITEBYTECODE: "1" },
      });
      assert.equal(ended.code, 0, `${server}: ${ended.stdout}${ended.stderr}`);
    }
  });
}
