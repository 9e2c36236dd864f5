/** Mutants of the rules that keep data and passwords from other users of the machine, and from readers of logs. */
import type { Mutant } from "./mutant.js";

const STORAGE = "test/daemon/timeline/disk/disk-storage.test.js";

export const secretMutants: readonly Mutant[] = [
  {
    name: "secrets: other users may read and write a file that LMDB creates",
    file: "daemon/timeline/disk/lmdb-tree.js",
    find: 'openSync(path, "wx", FILE_MODE)',
    replace: 'openSync(path, "wx", 0o666)',
    test: STORAGE,
  },
  {
    name: "secrets: a file of LMDB that an earlier version created keeps its mode",
    file: "daemon/timeline/disk/lmdb-tree.js",
    find: "(mode & OTHERS_MODES) !== 0",
    replace: "false",
    test: STORAGE,
  },
];
