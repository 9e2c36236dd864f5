/** The faces and tools of this build, in one order for all uses. */
import * as list from "../faces.js";
import type { Face } from "./face.js";

export const FACES: readonly Face[] = Object.values(list);
