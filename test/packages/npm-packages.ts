/** The two npm packages. Both are installed without scripts. */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { succeedWithNetwork } from "./commands.js";
import { sendBy, startAndSend } from "./installed-programs.js";
import type { ReleasePackage } from "./release-package.js";

const OPTIONS = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];

async function install(file: string, folder: string): Promise<void> {
  writeFileSync(join(folder, "package.json"), "{}\n");
  await succeedWithNetwork("npm", ["install", ...OPTIONS, file], { cwd: folder });
}

const publish = (file: string): readonly string[] => [`npm publish packages/${basename(file)}`];

export const dbsyncdPackage: ReleasePackage = {
  name: "npm dbsyncd",
  needs: [],
  make: ({ packed }) => Promise.resolve(packed),
  install,
  contact: (folder) => startAndSend(join(folder, "node_modules/.bin"), folder),
  publish,
};

export const dbsyncClientPackage: ReleasePackage = {
  name: "npm dbsync-client",
  needs: [],
  async make({ folder, output }) {
    const args = ["pack", "--silent", "--pack-destination", output, join(folder, "dist/packages/client")];
    const printed = (await succeedWithNetwork("npm", args, { cwd: folder })).trim();
    return join(output, printed.split("\n").at(-1) ?? "");
  },
  install,
  contact: (folder, daemon) => sendBy(join(folder, "node_modules/.bin"), daemon),
  publish,
};
