/** Mutants of the rules that keep data and passwords from other users of the machine, and from readers of logs. */
import type { Mutant } from "./mutant.js";

const STORAGE = "test/daemon/timeline/disk/disk-storage.test.js";
const SHOWN_COMMAND = "test/daemon/engine/slow-log/shown-command.test.js";

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
  {
    name: "secrets: the slow log shows the password in a command among the arguments of another one",
    file: "daemon/engine/slow-log/shown-command.js",
    find: "innerAt === undefined || argv.length <= innerAt",
    replace: "true",
    test: SHOWN_COMMAND,
  },
  {
    name: "secrets: the slow log shows the arguments of a command that does not exist",
    file: "daemon/engine/slow-log/shown-command.js",
    find: "i === 0 ? argument : REDACTED",
    replace: "argument",
    test: SHOWN_COMMAND,
  },
  {
    name: "secrets: the slow log checks commands among arguments without a limit",
    file: "daemon/engine/slow-log/shown-command.js",
    find: "nestingMax - 1",
    replace: "nestingMax",
    test: SHOWN_COMMAND,
  },
  {
    name: "secrets: other users may replace the history of typed lines",
    file: "tools/cli/shared/history-file.js",
    find: "makeFolder(dirname(this.path), FOLDER_MODE)",
    replace: "makeFolder(dirname(this.path), 0o777)",
    test: "test/tools/cli/shared/history-file.test.js",
  },
  {
    name: "secrets: other users may read an exported table",
    file: "tools/cli/sql/export-folder.js",
    find: 'open(file, "w", FILE_MODE)',
    replace: 'open(file, "w")',
    test: "test/tools/cli/sql/export-folder.test.js",
  },
];
