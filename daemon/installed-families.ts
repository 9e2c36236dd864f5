/** The families of commands that belong to the faces of this build, and how to load their code. */
import * as faces from "./faces.js";
import { loadFamilies, provideFamilies } from "./store/family-code.js";
import type { LoadRows } from "./store/rows/command-families.js";

/** The functions that import the code of families and the kinds of their values, by the names of the families. */
type Families = Readonly<Record<string, LoadRows>>;

const LIST: readonly { readonly families?: Families }[] = Object.values(faces);

export const INSTALLED_FAMILIES: Families = Object.fromEntries(
  LIST.flatMap(({ families = {} }) => Object.entries(families)),
);

/** Loads the code of all families, for a program that runs commands of all kinds. */
export async function useAllFamilies(): Promise<void> {
  provideFamilies(INSTALLED_FAMILIES);
  await loadFamilies();
}
