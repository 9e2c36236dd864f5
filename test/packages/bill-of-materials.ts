/** The bill of materials (CycloneDX) of the npm packages that a release needs, and their licences. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeedWithNetwork } from "./commands.js";
import type { Sources } from "./release-package.js";

type License =
  | { readonly license: { readonly id?: string; readonly name?: string } }
  | { readonly expression: string };

interface Component {
  name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly License[];
}

export interface Bill {
  readonly bomFormat: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

/** Licences that permit the use of a package in programs with other licences, without further conditions on these. */
const PERMITTED = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Unlicense",
]);

/** Reads the lock file, so the bill also lists the packages of other platforms. */
export async function readBill(folder: string): Promise<Bill> {
  const args = [
    "sbom",
    "--package-lock-only",
    "--omit=dev",
    "--sbom-format=cyclonedx",
    "--sbom-type=application",
  ];
  const bill = JSON.parse(await succeedWithNetwork("npm", args, { cwd: folder })) as Bill;
  // npm takes this name from the folder.
  bill.metadata.component.name = "dbsyncd";
  return bill;
}

/** Writes the bill. @returns its path */
export function writeBill(bill: Bill, { output, version }: Sources): string {
  const file = join(output, `dbsyncd-${version}.cdx.json`);
  writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
  return file;
}

/** Returns the licence of a component, as an expression of SPDX. */
export function licenceOf({ licenses = [] }: Component): string {
  const names = licenses.map((each) => ("expression" in each ? each.expression : (each.license.id ?? "")));
  return names.join(" AND ") || "none";
}

/** Returns the packages whose licence is not among the permitted ones. */
export function forbiddenIn({ components }: Bill): readonly string[] {
  return components
    .filter((component) => !isPermitted(licenceOf(component)))
    .map((component) => `${component.name} ${component.version}: ${licenceOf(component)}`);
}

/** Evaluates an expression without nested parentheses, which no package has. */
function isPermitted(expression: string): boolean {
  return expression
    .replace(/^\((.*)\)$/, "$1")
    .split(" AND ")
    .every((part) => part.split(" OR ").some((name) => PERMITTED.has(name)));
}

/** Returns the licences, with the number of packages for each. */
export function licencesIn({ components }: Bill): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const component of components) {
    const licence = licenceOf(component);
    counts.set(licence, (counts.get(licence) ?? 0) + 1);
  }
  return new Map([...counts].sort(([, one], [, other]) => other - one));
}
