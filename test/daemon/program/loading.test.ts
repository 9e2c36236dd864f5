/** Tests that a daemon loads only common code until it knows its options. Reads the imports of the compiled files. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { buildRoot } from "../../support/repository.js";

/** Returns the files that a program imports at its start, directly or indirectly. */
function loadedBy(program: string): string[] {
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, path] of text.matchAll(/^(?:import|export)\b[^;]*?["'](\.{1,2}\/[^"']+)["'];/gm))
      visit(join(dirname(file), path as string));
  };
  visit(join(buildRoot, program));
  return [...loaded].map((file) => relative(buildRoot, file));
}

test("a plain dbsyncSend loads no code for listening", () => {
  const loaded = loadedBy("client/public-api.js");
  assert.ok(loaded.includes("client/outbox-client.js"));
  assert.deepEqual(
    loaded.filter((file) => file.startsWith("client/live/")),
    [],
  );
});

/**
 * Matches optional code. Of faces, every daemon has the start and the options of each; of listeners, daemon/listener/.
 */
const OPTIONAL =
  /^(daemon\/(timeline|cluster)|client|keys)\/|^faces\/(?![\w-]+\/(?:(?:store|bytes)\/|(?:face|options)\.js))|^tools\/(?!admin\/(?:face|options)\.js)/;

test("a plain daemon loads no code for a timeline, peers, the client, listeners for users, keys or TLS", () => {
  const loaded = loadedBy("daemon/program/program.js");
  assert.ok(loaded.includes("daemon/engine/pipeline/pipeline.js"));
  assert.deepEqual(
    loaded.filter((file) => OPTIONAL.test(file)),
    [],
  );
});

/** Matches the connections and messages between members: of peers/, a daemon without members has what is left out. */
const OF_MEMBERS =
  /^daemon\/cluster\/peers\/(?!no-members\.js|shared\/)|^protocol\/members\/member-messages\.js/;

test("a daemon with a data folder loads no code of connections and messages between members", () => {
  const loaded = loadedBy("daemon/cluster/node/cluster-node.js");
  assert.ok(loaded.includes("daemon/cluster/peers/no-members.js"));
  const ofProgram = loadedBy("daemon/program/program.js");
  assert.deepEqual(
    [...loaded, ...ofProgram].filter((file) => OF_MEMBERS.test(file)),
    [],
  );
});
