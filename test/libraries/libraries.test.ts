/**
 * Runs the usual examples of libraries that people use with Redis, against redis-server and daemons. Each program
 * exits with 0 if all its checks pass.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { skipUnlessFull } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { SERVERS, type Served, startSidecarOfThree } from "./servers.js";

interface Library {
  readonly name: string;
  /** A path below test/libraries. */
  readonly file: string;
  /** The Debian package that contains the library, or null if npm installs it. */
  readonly debianPackage: string | null;
  /** Whether it also works through a sidecar, as docs/sidecar.md states: with all keys, or with decided keys. */
  readonly isForSidecars?: "all" | "decided";
  /** Further arguments of the program. */
  readonly args?: readonly string[];
}

const LIBRARIES: readonly Library[] = [
  { name: "BullMQ", file: "npm/bullmq.mjs", debianPackage: null },
  { name: "BullMQ with 20,000 jobs", file: "npm/bullmq-many.mjs", debianPackage: null, args: ["20000"] },
  { name: "redlock", file: "npm/redlock.mjs", debianPackage: null, isForSidecars: "decided" },
  {
    name: "rate-limiter-flexible",
    file: "npm/rate-limiter-flexible.mjs",
    debianPackage: null,
    isForSidecars: "decided",
  },
  { name: "node-resque", file: "npm/node-resque.mjs", debianPackage: null, isForSidecars: "decided" },
  { name: "bee-queue", file: "npm/bee-queue.mjs", debianPackage: null },
  { name: "socket.io's adapter", file: "npm/socket.io.mjs", debianPackage: null },
  {
    name: "express-session with connect-redis",
    file: "npm/express-session.mjs",
    debianPackage: null,
    isForSidecars: "all",
  },
  {
    name: "redis-py's Lock",
    file: "python/locks.py",
    debianPackage: "python3-redis",
    isForSidecars: "decided",
    args: ["locks"],
  },
  { name: "redis-py's Lock and its channels", file: "python/locks.py", debianPackage: "python3-redis" },
  { name: "Celery", file: "python/celery_tasks.py", debianPackage: "python3-celery" },
  { name: "RQ", file: "python/rq_tasks.py", debianPackage: "python3-rq", isForSidecars: "all" },
  {
    name: "RQ with 20,000 jobs",
    file: "python/rq_many.py",
    debianPackage: "python3-rq",
    args: ["20000"],
  },
  {
    name: "django-redis",
    file: "python/django_cache.py",
    debianPackage: "python3-django-redis",
    isForSidecars: "decided",
  },
  {
    name: "PHP's sessions with locks",
    file: "php/sessions.php",
    debianPackage: "php-redis",
    isForSidecars: "decided",
  },
  { name: "Predis", file: "php/predis.php", debianPackage: "php-nrk-predis" },
  { name: "Sidekiq", file: "ruby/sidekiq.rb", debianPackage: "ruby-sidekiq" },
];

/** The programs by folder. The Python on the PATH may not find Debian's packages. */
const PROGRAMS: Readonly<Record<string, string>> = {
  npm: process.execPath,
  python: "/usr/bin/python3",
  php: "php",
  ruby: "ruby",
};

const folder = join(repositoryRoot, "test", "libraries");

function skipReason({ debianPackage }: Library): string | false {
  if (skipUnlessFull) return skipUnlessFull;
  if (debianPackage !== null) return skipWithout("redis-server") || skipWithout(debianPackage);
  return existsSync(join(folder, "npm", "node_modules")) ? false : "test/libraries/npm is not installed";
}

const servers: { readonly name: string; readonly served: Served }[] = [];

before(async () => {
  if (LIBRARIES.every(skipReason)) return;
  for (const { name, start } of SERVERS) servers.push({ name, served: await start() });
});

after(async () => {
  for (const { served } of servers) await served[Symbol.asyncDispose]();
});

/** Runs a program against a server, and checks that it succeeds. */
async function passes({ file, args = [] }: Library, server: string, { port }: Served): Promise<void> {
  const program = PROGRAMS[file.split("/")[0] ?? ""] ?? "";
  using client = await RedisConnection.open(port);
  await client.call("FLUSHALL");
  const ended = await run(program, [join(folder, file), String(port), ...args], {
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  assert.equal(ended.code, 0, `${server}: ${ended.stdout}${ended.stderr}`);
}

for (const library of LIBRARIES) {
  const skip = skipReason(library);
  test(`${library.name} passes its usual examples`, { skip }, async () => {
    await Promise.all(servers.map(({ name, served }) => passes(library, name, served)));
  });

  if (library.isForSidecars)
    test(`${library.name} passes its usual examples through a sidecar`, { skip }, async () => {
      // Each library names its keys in its own way.
      await using sidecar = await startSidecarOfThree(library.isForSidecars === "decided" ? ["*"] : []);
      await passes(library, "a sidecar", sidecar);
    });
}
