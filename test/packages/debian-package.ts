/**
 * Makes a Debian package with the programs, all npm packages that they need, their manual pages, the systemd unit and
 * its configuration. It has no scripts: the administrator enables the unit after editing the configuration.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { repositoryRoot } from "../support/repository.js";
import { npmVariables } from "../support/test-environment.js";

/** The folder of the npm packages in the Debian package. */
const LIBRARY = "usr/lib/dbsync";
const MAINTAINER = "dbsync <root@localhost>";
const CONFIGURATION = "etc/dbsync/dbsyncd.toml";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly description: string;
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
}

/**
 * Makes the package.
 * @param packed  the file that `npm pack` made
 * @param folder  the folder of the result
 * @returns the path of the package
 */
export function makeDebianPackage(packed: string, folder: string): string {
  const root = mkdtempSync(join(tmpdir(), "dbsync-debian-"));
  try {
    const installed = installPackage(packed, root);
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Manifest;
    // npm makes the programs executable only if it installs them.
    for (const path of Object.values(manifest.bin)) chmodSync(join(installed, path), 0o755);
    linkPrograms(manifest, root);
    writeManualPages(join(installed, "dist/man"), root);
    writeUnit(root);
    const architecture = execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim();
    writeControl(manifest, architecture, root);
    // Without this, the umask of this process decides: dpkg could then close the folders of a machine.
    execFileSync("chmod", ["-R", "u=rwX,go=rX", root]);
    const file = join(folder, `dbsyncd_${manifest.version}_${architecture}.deb`);
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zgzip", "--build", root, file], { stdio: "pipe" });
    return file;
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** Installs the npm package with what it needs, in the versions of the lock file. @returns its folder */
function installPackage(packed: string, root: string): string {
  const library = join(root, LIBRARY);
  mkdirSync(library, { recursive: true });
  const manifests = ["package.json", "package-lock.json"];
  for (const name of manifests) cpSync(join(repositoryRoot, name), join(library, name));
  // The packages contain files that were built before, so no script has to run.
  const options = ["--omit=dev", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
  execFileSync("npm", ["ci", ...options], { cwd: library, stdio: "pipe", env: npmVariables() });
  for (const name of [...manifests, "node_modules/.package-lock.json"])
    rmSync(join(library, name), { force: true });

  const installed = join(library, "node_modules/dbsyncd");
  mkdirSync(installed);
  execFileSync("tar", ["-xzf", packed, "-C", installed, "--strip-components=1"]);
  return installed;
}

function linkPrograms({ bin }: Manifest, root: string): void {
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  for (const [name, path] of Object.entries(bin))
    symlinkSync(`../lib/dbsync/node_modules/dbsyncd/${path}`, join(root, "usr/bin", name));
}

function writeManualPages(from: string, root: string): void {
  const folder = join(root, "usr/share/man/man1");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(from))
    writeFileSync(join(folder, `${name}.gz`), gzipSync(readFileSync(join(from, name)), { level: 9 }));
}

function writeUnit(root: string): void {
  const examples = join(repositoryRoot, "examples/production");
  const units = join(root, "usr/lib/systemd/system");
  mkdirSync(units, { recursive: true });
  const unit = readFileSync(join(examples, "dbsyncd.service"), "utf8");
  writeFileSync(join(units, "dbsyncd.service"), unit.replace("/usr/local/bin/dbsyncd", "/usr/bin/dbsyncd"));
  mkdirSync(join(root, "etc/dbsync/keys"), { recursive: true });
  cpSync(join(examples, "dbsyncd.toml"), join(root, CONFIGURATION));
}

function writeControl(
  { version, license, description, engines }: Manifest,
  architecture: string,
  root: string,
): void {
  const doc = join(root, "usr/share/doc/dbsyncd");
  mkdirSync(doc, { recursive: true });
  const own = readFileSync(join(repositoryRoot, "LICENSE"), "utf8");
  writeFileSync(join(doc, "copyright"), `${own}\n${includedLicences(join(root, LIBRARY, "node_modules"))}`);
  writeFileSync(join(doc, "changelog.gz"), gzipSync(changelogOf(version), { level: 9 }));

  const control = join(root, "DEBIAN");
  mkdirSync(control);
  const lines = [
    "Package: dbsyncd",
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${MAINTAINER}`,
    "Section: database",
    "Priority: optional",
    `Installed-Size: ${kibibytesOf(root)}`,
    `Depends: nodejs (${engines.node.replace(/^>=/, ">= ")})`,
    `Description: ${description.replace(/\.$/, "")}`,
    ` The daemon dbsyncd, and the programs dbsync, dbsync-keygen and dbsync-proxy. License: ${license}.`,
  ];
  writeFileSync(join(control, "control"), `${lines.join("\n")}\n`);
  // dpkg asks before an upgrade replaces a configuration that was edited.
  writeFileSync(join(control, "conffiles"), `/${CONFIGURATION}\n`);
}

/** Returns the npm packages in the package with their versions and licences. Most of their folders have the text. */
function includedLicences(modules: string): string {
  const lines = readdirSync(modules, { recursive: true, encoding: "utf8" })
    .filter((file) => /(?:^|node_modules\/)(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(file))
    .map((file) => JSON.parse(readFileSync(join(modules, file), "utf8")) as Manifest)
    .filter(({ name }) => name !== "dbsyncd")
    .map(({ name, version, license }) => `  ${name} ${version}: ${license}`);
  const intro = `This package also contains these npm packages, in /${LIBRARY}/node_modules, with their licences:`;
  return `${intro}\n${[...new Set(lines)].sort().join("\n")}\n`;
}

/** Returns the changelog in the format of Debian, which refers to that of the project. */
function changelogOf(version: string): string {
  const date = new Date().toUTCString().replace("GMT", "+0000");
  return `dbsyncd (${version}) stable; urgency=medium

  * Version ${version}: /${LIBRARY}/node_modules/dbsyncd/CHANGELOG.md describes it.

 -- ${MAINTAINER}  ${date}
`;
}

/** Returns what the files need on a disk, by which apt checks the free space. */
function kibibytesOf(folder: string): number {
  const printed = execFileSync("du", ["--summarize", "--block-size=1024", folder], { encoding: "utf8" });
  return Number.parseInt(printed, 10);
}
