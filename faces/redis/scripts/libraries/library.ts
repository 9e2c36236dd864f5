/** A script library: its functions by name. */
import type { HostFunction } from "../lua/web-assembly.js";

export type Library = Readonly<Record<string, HostFunction>>;
