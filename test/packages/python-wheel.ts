/** The wheel of the Python client. */
import { cpSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { ScratchFolder } from "../support/scratch-folder.js";
import { succeed } from "./commands.js";
import type { ReleasePackage } from "./release-package.js";

/** The Python on the PATH may not find Debian's packages. */
export const PYTHON = "/usr/bin/python3";
/** Files that Python and setuptools write into a checkout. */
const GENERATED = /__pycache__|\.egg-info|\/build$/;
const OFFLINE = ["--no-index", "--disable-pip-version-check", "--quiet"];

export const pythonWheel: ReleasePackage = {
  name: "wheel",
  needs: ["python3-cryptography", "python3-venv", "python3-pip", "python3-setuptools", "python3-wheel"],
  async make({ folder, output, version }) {
    // Building leaves folders that a checkout should not have.
    using scratch = new ScratchFolder();
    const copy = join(scratch.path, "python");
    cpSync(join(folder, "clients/python"), copy, {
      recursive: true,
      filter: (path) => !GENERATED.test(path),
    });
    const options = [...OFFLINE, "--no-deps", "--no-build-isolation", "--wheel-dir", output];
    await succeed(PYTHON, ["-m", "pip", "wheel", ...options, copy], { cwd: scratch.path });
    const made = readdirSync(output).find((name) => name.startsWith(`dbsyncd-${version}-`));
    if (made === undefined) throw new Error(`pip made no wheel with the version ${version}`);
    return join(output, made);
  },
  async install(file, folder) {
    const environment = join(folder, "venv");
    await succeed(PYTHON, ["-m", "venv", "--system-site-packages", "--without-pip", environment], {
      cwd: folder,
    });
    const target = ["--python", join(environment, "bin/python")];
    await succeed(PYTHON, ["-m", "pip", ...target, "install", ...OFFLINE, file], { cwd: folder });
  },
  async contact(folder, { servers, key }) {
    const args = ["-k", key, "-s", servers, "INCR", "visits"];
    return (await succeed(join(folder, "venv/bin/dbsync-py"), args, { cwd: folder })).trim();
  },
  publish: (file) => [`twine upload packages/${basename(file)}`],
};
