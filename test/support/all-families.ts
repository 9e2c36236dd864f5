/** Loads the code of all families of commands, for tests that run commands without a daemon. */
import { useAllFamilies } from "../../faces/command-families.js";

await useAllFamilies();
