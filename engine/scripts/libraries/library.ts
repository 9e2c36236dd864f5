/** A library of Lua that we give: its functions, by name. */
import type { HostFunction } from "../lua/web-assembly.js";

export type Library = Readonly<Record<string, HostFunction>>;
