/**
 * Writes test/vectors/v2/vectors.json: `node dist/test/support/v2-vectors/make.js`. Run it after a change of the
 * specification. The output is always the same, and test/conformance/v2-vectors.test.ts compares the file with it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { badVectors } from "./bad.js";
import { goodVectors } from "./good.js";
import { messageVectors } from "./messages.js";
import { CLUSTER_NAME, cluster, genesis, NOW, STARTED_AT, vectorKeys } from "./scene.js";
import { unsignedVectors } from "./unsigned.js";
import { type Vectors, vectorFolder } from "./vector.js";

/** Returns the text of vectors.json. */
export function makeVectors(): string {
  const vectors: Vectors = {
    now: NOW,
    startedAt: STARTED_AT,
    clusterName: CLUSTER_NAME,
    genesis: genesis.toString("hex"),
    cluster: cluster.toString("hex"),
    keys: Object.values(vectorKeys),
    messages: messageVectors(),
    good: goodVectors(),
    bad: badVectors(),
    unsigned: unsignedVectors(),
  };
  return `{\n${Object.entries(vectors).map(writeMember).join(",\n")}\n}\n`;
}

/** Writes a line per vector, so that a diff shows each change. */
function writeMember([name, value]: [string, unknown]): string {
  if (!Array.isArray(value)) return `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
  return `${JSON.stringify(name)}: [\n${value.map((each) => JSON.stringify(each)).join(",\n")}\n]`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(join(vectorFolder, "vectors.json"), makeVectors());
