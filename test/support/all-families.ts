/** Loads the code of all families of commands, for tests that run commands without a daemon. */
import { useAllFamilies } from "../../daemon/installed-families.js";

await useAllFamilies();
