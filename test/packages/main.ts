/** `npm run package`: makes the packages from this checkout, and writes them into the folder packages/. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { PACKAGES } from "./all-packages.js";
import { succeedWithNetwork } from "./commands.js";
import { versionOf } from "./sources.js";

const output = join(repositoryRoot, "packages");
mkdirSync(output, { recursive: true });

await succeedWithNetwork("npm", ["pack", "--silent", "--pack-destination", output], { cwd: repositoryRoot });
const version = versionOf(repositoryRoot);
const packed = join(output, `dbsyncd-${version}.tgz`);
const sources = { folder: repositoryRoot, version, packed, output };
for (const { name, needs, make } of PACKAGES) {
  const missing = needs.map(skipWithout).find((reason) => reason !== false);
  console.log(missing ? `${missing}: the ${name} was not made.` : await make(sources));
}
