/** Domains as a database's catalogue keeps them: `[["number",0,9],["enumeration","red",3]]`. */
import type { FolderAtom, FolderType } from "./folder-type.js";

/** @throws Error  it is none */
export function domainType(text: string): FolderType {
  const atoms = JSON.parse(text) as readonly (readonly [FolderAtom["kind"], ...(string | number | null)[]])[];
  return atoms.map(([kind, ...rest]): FolderAtom => {
    if (kind === "date") return { kind };
    if (kind === "enumeration") return { kind, allowed: rest.filter((value) => value !== null) };
    const [min = null, max = null] = rest as readonly (number | null)[];
    return { kind, min, max };
  });
}
