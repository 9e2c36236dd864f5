/**
 * The files that repeat the version of package.json, because the tools that read them have no other source: `npm
 * version` runs write-versions.ts, which writes it into them. A test compares them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "./sources.js";

interface VersionPlace {
  readonly file: string;
  /** Matches the version, between what precedes and what follows it. */
  readonly pattern: RegExp;
}

export const VERSION_PLACES: readonly VersionPlace[] = [
  { file: "clients/python/pyproject.toml", pattern: /(?<=^version = ").*(?="$)/m },
  { file: "clients/php/composer.json", pattern: /(?<="version": ").*(?=")/ },
  { file: "examples/typescript/package.json", pattern: /(?<="dbsyncd": "\^).*(?=")/ },
  { file: "examples/production/Dockerfile", pattern: /(?<=image\.version=").*(?=")/ },
  { file: "examples/production/compose.yaml", pattern: /(?<=image: dbsyncd:).*/ },
  { file: "deploy/kubernetes/overlays/production/kustomization.yaml", pattern: /(?<=newTag: ").*(?=")/ },
  { file: "docs/kubernetes.md", pattern: /(?<=^docker build .* -t \S+:)\S+/m },
  { file: "docs/kubernetes.md", pattern: /(?<=^docker push \S+:)\S+/m },
];

/** Returns a sentence for each file whose version is not that of package.json. */
export function wrongVersions(root: string): readonly string[] {
  const version = versionOf(root);
  return VERSION_PLACES.flatMap(({ file, pattern }) => {
    const [found] = pattern.exec(readFileSync(join(root, file), "utf8")) ?? [];
    if (found === version) return [];
    return [
      `${file} has the version ${found ?? "(none)"}, and package.json ${version}: run npm run build && node dist/test/packages/write-versions.js`,
    ];
  });
}

/** Writes the version of package.json into the files. */
export function writeVersions(root: string): void {
  const version = versionOf(root);
  for (const { file, pattern } of VERSION_PLACES) {
    const path = join(root, file);
    writeFileSync(path, readFileSync(path, "utf8").replace(pattern, version));
  }
}
