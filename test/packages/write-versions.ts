/** Writes the version of package.json into the files that repeat it. `npm version` runs this before its commit. */
import { repositoryRoot } from "../support/repository.js";
import { writeVersions } from "./versions.js";

writeVersions(repositoryRoot);
