/**
 * The Go module, as a proxy for Go modules serves it. Its version is the name of a tag: no file of the module contains
 * it.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ScratchFolder } from "../support/scratch-folder.js";
import { succeed } from "./commands.js";
import type { ReleasePackage, Sources } from "./release-package.js";

const FOLDER = "clients/go";
/** Archives the files below a folder. `go` refuses an archive with entries for folders, as `-m zipfile` makes. */
const ZIP = `import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(pathlib.Path(sys.argv[2]).rglob("*")):
        if path.is_file(): archive.write(path)
`;

export const goModule: ReleasePackage = {
  name: "Go module",
  needs: ["go", "python3-cryptography"],
  async make(sources) {
    using scratch = new ScratchFolder();
    const root = join(scratch.path, `${moduleOf(sources)}@v${sources.version}`);
    cpSync(join(sources.folder, FOLDER), root, { recursive: true });
    cpSync(join(sources.folder, "LICENSE"), join(root, "LICENSE"));
    const file = join(sources.output, `dbsync-go-v${sources.version}.zip`);
    const [top = ""] = moduleOf(sources).split("/");
    await succeed("/usr/bin/python3", ["-c", ZIP, file, top], { cwd: scratch.path });
    return file;
  },
  async install(file, folder, sources) {
    const version = `v${sources.version}`;
    const served = join(folder, "proxy", moduleOf(sources), "@v");
    mkdirSync(served, { recursive: true });
    cpSync(file, join(served, `${version}.zip`));
    cpSync(join(sources.folder, FOLDER, "go.mod"), join(served, `${version}.mod`));
    writeFileSync(join(served, `${version}.info`), JSON.stringify({ Version: version }));
    writeFileSync(join(served, "list"), `${version}\n`);

    const env = {
      GOPROXY: pathToFileURL(join(folder, "proxy")).href,
      GONOSUMDB: "*",
      GOFLAGS: "-modcacherw",
      GOTOOLCHAIN: "local",
      GOMODCACHE: join(folder, "modules"),
      GOBIN: join(folder, "bin"),
    };
    await succeed("go", ["install", `${moduleOf(sources)}/dbsync-go@${version}`], { cwd: folder, env });
  },
  async contact(folder, { servers, key }) {
    const env = { DBSYNC_SERVERS: servers, DBSYNC_SIGNKEY: key };
    return (await succeed(join(folder, "bin/dbsync-go"), ["INCR", "visits"], { cwd: folder, env })).trim();
  },
  publish: (_, { version }) => [`git tag ${FOLDER}/v${version}`, `git push origin ${FOLDER}/v${version}`],
};

/** Returns the path of the module. */
export function moduleOf({ folder }: Pick<Sources, "folder">): string {
  const text = readFileSync(join(folder, FOLDER, "go.mod"), "utf8");
  const [, path] = /^module (\S+)$/m.exec(text) ?? [];
  if (path === undefined) throw new Error(`${FOLDER}/go.mod names no module`);
  return path;
}
