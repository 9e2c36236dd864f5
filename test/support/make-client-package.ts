/**
 * Makes the package `dbsync-client` from the build: library, programs and module for pages of the client, without the
 * daemon. It is in `packages/client/` of the build, ready for `npm pack`. docs/decisions/0031 explains why there are
 * two packages.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import type { Plugin } from "esbuild";
import { browserFolder } from "./make-browser-module.js";
import { CLIENT_BUNDLES, joinFiles, writeRequired } from "./make-bundles.js";
import { copyTypes } from "./make-types.js";
import { buildRoot, repositoryRoot } from "./repository.js";

export const clientPackage: string = join(buildRoot, "packages", "client");

const NAME = "dbsync-client";
/**
 * The fields of dbsyncd's package.json that both packages have. Where the sources are is for their owner to add
 * there.
 */
const SHARED = [
  "version",
  "license",
  "type",
  "engines",
  "keywords",
  "author",
  "repository",
  "bugs",
  "homepage",
];
/** The package that parses the programs' arguments; it is bundled, so that npm need not install it. */
const BUNDLED = "commander";

export async function makeClientPackage(): Promise<void> {
  rmSync(clientPackage, { recursive: true, force: true });
  mkdirSync(clientPackage, { recursive: true });
  const lib = join(clientPackage, "lib");
  await joinFiles(CLIENT_BUNDLES, lib, [ownName, withoutDaemon]);
  writeRequired(lib, ["client"]);
  copyTypes(["client/entry", "client/browser/entry"], join(clientPackage, "types"));
  cpSync(browserFolder, join(clientPackage, "browser"), { recursive: true });
  cpSync(join(repositoryRoot, "LICENSE"), join(clientPackage, "LICENSE"));
  cpSync(join(repositoryRoot, "docs/client-package.md"), join(clientPackage, "README.md"));
  cpSync(join(repositoryRoot, "node_modules", BUNDLED), join(clientPackage, "node_modules", BUNDLED), {
    recursive: true,
  });
  writeFileSync(join(clientPackage, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
}

function manifest(): object {
  const own = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as Record<
    string,
    unknown
  > & {
    dependencies: Record<string, string>;
  };
  return {
    name: NAME,
    description:
      "The client of dbsync: signs a command once, sends it to every daemon, uses the first successful result.",
    ...Object.fromEntries(SHARED.filter((field) => field in own).map((field) => [field, own[field]])),
    exports: {
      ".": {
        import: { types: "./types/client/entry.d.ts", default: "./lib/client.js" },
        require: { types: "./types/client/entry.d.cts", default: "./lib/client.cjs" },
      },
      "./browser": { types: "./types/client/browser/entry.d.ts", default: "./browser/dbsync.js" },
      "./package.json": "./package.json",
    },
    bin: { dbsync: "lib/dbsync.js", "dbsync-keygen": "lib/dbsync-keygen.js" },
    dependencies: { [BUNDLED]: own.dependencies[BUNDLED] },
    bundleDependencies: [BUNDLED],
  };
}

/** Lets the programs find this package where they look for their own. */
const ownName: Plugin = {
  name: "own name",
  setup(bundler) {
    bundler.onLoad({ filter: /\/(cli\/program|keygen-command)\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace('"dbsyncd/package.json"', `"${NAME}/package.json"`),
    }));
  },
};

/** Replaces the code that reads a daemon's folder by `absent.js`. */
const withoutDaemon: Plugin = {
  name: "without daemon",
  setup(bundler) {
    const folder = join(buildRoot, "cli", "folder") + sep;
    bundler.onResolve({ filter: /\/folder\/[\w-]+\.js$/ }, ({ resolveDir, path }) =>
      join(resolveDir, path).startsWith(folder) ? { path: join(folder, "absent.js") } : null,
    );
  },
};
