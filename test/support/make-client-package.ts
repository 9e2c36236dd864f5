/**
 * Makes the package `dbsync-client` from the build: the client's library, its programs and its browser module,
 * without the daemon. The package is in `packages/client/` of the build, ready for `npm pack`. CONTRIBUTING.md
 * explains why there are two packages.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import type { Plugin } from "esbuild";
import { browserFolder } from "./make-browser-module.js";
import { CLIENT_BUNDLES, joinFiles, writeForPages, writeRequired } from "./make-bundles.js";
import { copyTypes } from "./make-types.js";
import { buildRoot, repositoryRoot } from "./repository.js";

export const clientPackage: string = join(buildRoot, "packages", "client");

const NAME = "dbsync-client";
/**
 * The fields of dbsyncd's package.json that are copied to this package. The owner adds `repository`, `bugs` and
 * `homepage` there before a release.
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
/** The package that parses the arguments of the programs. It is included, so npm need not install it. */
const BUNDLED = "commander";

export async function makeClientPackage(): Promise<void> {
  rmSync(clientPackage, { recursive: true, force: true });
  mkdirSync(clientPackage, { recursive: true });
  const lib = join(clientPackage, "lib");
  await joinFiles(CLIENT_BUNDLES, lib, { plugins: [ownName, withoutDaemon] });
  writeRequired(lib, ["client"]);
  writeForPages(lib, "../browser/dbsync.js", NAME);
  copyTypes(["client/public-api", "client/browser/public-api"], join(clientPackage, "types"));
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
    main: "./lib/client.cjs",
    types: "./types/client/public-api.d.cts",
    typesVersions: { "*": { browser: ["./types/client/browser/public-api.d.ts"] } },
    exports: {
      ".": {
        browser: {
          import: { types: "./types/client/browser/public-api.d.ts", default: "./lib/client-of-pages.js" },
        },
        import: { types: "./types/client/public-api.d.ts", default: "./lib/client.js" },
        require: { types: "./types/client/public-api.d.cts", default: "./lib/client.cjs" },
      },
      "./browser": { types: "./types/client/browser/public-api.d.ts", default: "./browser/dbsync.js" },
      "./package.json": "./package.json",
    },
    bin: { dbsync: "lib/dbsync.js", "dbsync-keygen": "lib/dbsync-keygen.js" },
    dependencies: { [BUNDLED]: own.dependencies[BUNDLED] },
    bundleDependencies: [BUNDLED],
  };
}

/** Makes the programs read this package's package.json instead of dbsyncd's. */
const ownName: Plugin = {
  name: "own name",
  setup(bundler) {
    bundler.onLoad({ filter: /\/(cli\/program|keygen-command)\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace('"dbsyncd/package.json"', `"${NAME}/package.json"`),
    }));
  },
};

/** Replaces the code that reads the data folder of a daemon by `not-in-client-package.js`. */
const withoutDaemon: Plugin = {
  name: "without daemon",
  setup(bundler) {
    const folder = join(buildRoot, "tools", "cli", "folder") + sep;
    bundler.onResolve({ filter: /\/folder\/[\w-]+\.js$/ }, ({ resolveDir, path }) =>
      join(resolveDir, path).startsWith(folder) ? { path: join(folder, "not-in-client-package.js") } : null,
    );
  },
};
