/** Removes the code of GEOADD from this process, as in a build without its face. Import this file before all others. */
import * as faces from "../../../../daemon/faces.js";
import type { FaceFamilies } from "../../../../daemon/store/family-code.js";

for (const { families = {} } of Object.values<FaceFamilies>(faces))
  Reflect.deleteProperty(families, "redis/geo");
