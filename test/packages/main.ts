/** `npm run package`: writes the two npm packages and, on Debian, a Debian package into the folder packages/. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { clientPackage } from "../support/make-client-package.js";
import { repositoryRoot } from "../support/repository.js";
import { isOnPath } from "../support/requirements.js";
import { makeDebianPackage } from "./debian-package.js";

const folder = join(repositoryRoot, "packages");
mkdirSync(folder, { recursive: true });

/** Packs a folder. @returns the path of the file */
function pack(source: string): string {
  const args = ["pack", "--silent", "--pack-destination", folder, source];
  const printed = execFileSync("npm", args, { cwd: repositoryRoot, encoding: "utf8" }).trim();
  return join(folder, printed.split("\n").at(-1) ?? "");
}

const packed = pack(".");
const made = [packed, pack(clientPackage)];
if (isOnPath("dpkg-deb")) made.push(makeDebianPackage(packed, folder));
else console.log("dpkg-deb is not installed: no Debian package was made.");
for (const file of made) console.log(file);
