/** Runs the recipe for OpenTelemetry with the real packages: each call is a child span. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { skipUnlessFull } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";

const folder = join(repositoryRoot, "test", "libraries", "npm");
const isThere = existsSync(join(folder, "node_modules", "@opentelemetry", "api"));
const skip = skipUnlessFull || (isThere ? false : "test/libraries/npm is not installed");

test("OpenTelemetry: a call is a child of the active span", { skip }, async () => {
  const key = makeKeyPair();
  await using daemon = await startDaemon(["-s", key.file]);
  const urls = ["examples/recipes/tracing.js", "client/public-api.js"].map(
    (file) => pathToFileURL(join(buildRoot, file)).href,
  );
  const script = join(folder, "opentelemetry.mjs");
  const ended = await run(
    process.execPath,
    [script, ...urls, String(daemon.port), `${key.privateKey.export({ type: "pkcs8", format: "pem" })}`],
    {},
  );
  assert.equal(ended.code, 0, `${ended.stdout}${ended.stderr}`);
});
