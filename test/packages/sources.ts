/**
 * Makes the files of a release from a clean copy of the repository, so that no file that a developer has made becomes
 * part of a package. The steps are those of the Dockerfile's first stage: `npm ci --ignore-scripts` and `npm pack`.
 */
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DockerfileParser } from "dockerfile-ast";
import { ownFiles, repositoryRoot } from "../support/repository.js";
import { succeedWithNetwork } from "./commands.js";
import type { Sources } from "./release-package.js";

export const DOCKERFILE = "examples/production/Dockerfile";

export interface Step {
  /** Such as RUN. */
  readonly keyword: string;
  readonly content: string;
}

/** Returns the instructions of each stage of the Dockerfile, without FROM. */
export function stagesOf(dockerfile: string): readonly (readonly Step[])[] {
  const stages: Step[][] = [];
  for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
    const step = {
      keyword: instruction.getKeyword(),
      content: instruction.getRawArgumentsContent() ?? "",
    };
    if (step.keyword === "FROM") stages.push([]);
    else stages.at(-1)?.push(step);
  }
  return stages;
}

/** Returns the version of the repository: package.json is the only place that decides it. */
export function versionOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

/**
 * Copies the files of the repository into an empty folder, and builds the copy.
 * @param report  receives a line before each step
 */
export async function makeSources(
  folder: string,
  output: string,
  report: (line: string) => void,
): Promise<Sources> {
  const files = ownFiles();
  report(`copying ${files.length} files`);
  for (const file of files) cpSync(join(repositoryRoot, file), join(folder, file));
  mkdirSync(output, { recursive: true });

  const [build = []] = stagesOf(readFileSync(join(folder, DOCKERFILE), "utf8"));
  for (const { keyword, content } of build) {
    if (keyword === "WORKDIR" || (keyword === "COPY" && content === ". .")) continue;
    if (keyword !== "RUN") throw new Error(`${DOCKERFILE}: this program does not execute ${keyword}`);
    for (const command of content.split(" && ")) {
      report(command);
      await succeedWithNetwork("sh", ["-c", command], {
        cwd: folder,
        env: { npm_config_prefer_offline: "true", npm_config_audit: "false", npm_config_fund: "false" },
      });
    }
  }

  const version = versionOf(folder);
  const packed = join(output, `dbsyncd-${version}.tgz`);
  cpSync(join(folder, "dbsyncd.tgz"), packed);
  return { folder, version, packed, output };
}
