/** Loads the code of the families of commands that the build contains, for tests that run commands without a daemon. */
import { useAllFamilies } from "../../daemon/installed-families.js";

await useAllFamilies();
