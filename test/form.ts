/**
 * `npm run form`: checks what needs no running daemon: the types of the dashboard's page, format and rules, and the
 * tests that compare files with each other. Prints all problems in one list. The build has checked the other types.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { run as runTests } from "node:test";
import { testFiles } from "./support/chosen-files.js";
import { buildRoot, repositoryRoot } from "./support/repository.js";
import { run } from "./support/run-program.js";
import { TestReport } from "./support/test-report.js";

/** The beginnings of the paths of the tests. */
const TESTS = [
  "test/api-pages/",
  "test/client/browser/size.test",
  "test/commands-page/page.test",
  "test/examples/recipes/page.test",
  "test/furniture.test",
  "test/links.test",
  "test/lock-file.test",
  "test/man/",
  "test/modules/",
  "test/mutants/table.test",
  "test/pictures/",
  "test/support/planned-files.test",
  "test/tables/",
  "test/tidy.test",
  "test/words/",
];

/** Runs a package's program. @returns what it prints if it fails; otherwise an empty text */
async function problemsOf(program: string, ...args: readonly string[]): Promise<string> {
  const path = join(repositoryRoot, "node_modules", ".bin", program);
  const { code, stdout, stderr } = await run(path, args, { cwd: repositoryRoot });
  return code === 0 ? "" : `\n✖ ${[program, ...args].join(" ")}\n${stdout}${stderr}`;
}

/** Runs the tests. @returns their failures */
async function failures(): Promise<string> {
  const all = testFiles(buildRoot);
  const missing = TESTS.filter((path) => !all.some((file) => file.startsWith(path)));
  if (missing.length > 0) return `\n✖ test/form.ts lists no test file: ${missing.join(", ")}\n`;
  const files = all.filter((file) => TESTS.some((path) => file.startsWith(path)));
  const report = new TestReport(() => {});
  const stream = runTests({
    files: files.map((file) => join(buildRoot, file)),
    concurrency: availableParallelism(),
  });
  await report.follow(stream);
  return report.failures();
}

const problems = await Promise.all([
  problemsOf("tsc", "-p", "tools/admin/dashboard"),
  problemsOf("biome", "check", "--error-on-warnings", "."),
  failures(),
]);
const list = problems.join("");
if (list !== "") {
  console.error(`${list}\nForm: fix all of the above. The other tests have not run.`);
  process.exitCode = 1;
}
