/** The Composer package of the PHP client. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ScratchFolder } from "../support/scratch-folder.js";
import { succeed } from "./commands.js";
import type { ReleasePackage } from "./release-package.js";

const FOLDER = "clients/php";
const FILES = ["LICENSE", "composer.json", "dbsync.php"];

interface Manifest {
  readonly name: string;
  readonly version: string;
}

export const composerPackage: ReleasePackage = {
  name: "composer package",
  needs: ["php", "composer"],
  async make({ folder, output, version }) {
    using scratch = new ScratchFolder();
    const root = join(scratch.path, "dbsync");
    mkdirSync(root);
    for (const name of FILES) cpSync(join(folder, FOLDER, name), join(root, name));
    const file = join(output, `dbsync-php-${version}.tar.gz`);
    await succeed("tar", ["--owner=0", "--group=0", "-czf", file, "dbsync"], { cwd: scratch.path });
    return file;
  },
  async install(file, folder, sources) {
    // A registry serves the manifest next to the file. Composer does not read a single file without one.
    const manifest = JSON.parse(
      readFileSync(join(sources.folder, FOLDER, "composer.json"), "utf8"),
    ) as Manifest;
    const registered = { ...manifest, dist: { type: "tar", url: file } };
    const project = {
      repositories: [{ type: "package", package: registered }, { "packagist.org": false }],
      require: { [manifest.name]: sources.version },
    };
    writeFileSync(join(folder, "composer.json"), JSON.stringify(project));
    await succeed("composer", ["install", "--no-interaction", "--no-ansi", "--no-scripts"], {
      cwd: folder,
      env: {
        COMPOSER_HOME: join(folder, ".composer"),
        COMPOSER_ALLOW_SUPERUSER: "1",
        COMPOSER_DISABLE_NETWORK: "1",
      },
    });
  },
  async contact(folder, { servers, key }) {
    const options = `['servers' => '${servers}', 'signkey' => '${key}']`;
    const script = `require 'vendor/autoload.php'; echo dbsync_call(['INCR', 'visits'], ${options});`;
    return await succeed("php", ["-r", script], { cwd: folder });
  },
  publish: (_, { version }) => [
    // Packagist reads composer.json in the top folder of a repository, and the version in its tag.
    `git subtree split --prefix ${FOLDER} --branch php`,
    "git push REPOSITORY-OF-THE-PHP-CLIENT php:main",
    `git push REPOSITORY-OF-THE-PHP-CLIENT php:refs/tags/v${version}`,
  ],
};
