/**
 * Preloaded with `--import` into a program that is not bundled: removes the code of the family of commands that
 * DBSYNC_WITHOUT_FAMILY names, as if this build did not contain its face.
 */
import * as faces from "../../daemon/faces.js";
import type { FaceFamilies } from "../../daemon/store/family-code.js";

const name = process.env["DBSYNC_WITHOUT_FAMILY"] ?? "";
for (const { families = {} } of Object.values<FaceFamilies>(faces)) Reflect.deleteProperty(families, name);
