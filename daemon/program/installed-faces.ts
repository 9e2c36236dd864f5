/**
 * The faces and tools of this build, in one order for all uses. Importing this file makes their protocols known on all
 * ports.
 */
import * as list from "../faces.js";
import { knowProtocols } from "../net/connections/foreign-client.js";
import type { Face } from "./face.js";

export const FACES: readonly Face[] = Object.values(list);

knowProtocols(FACES.flatMap(({ speaks }) => speaks ?? []));
