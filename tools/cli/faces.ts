/** The modules of `dbsync` that import a face: the only list of them. To remove one, remove its folder and its line. */
// biome-ignore-all lint/performance/noBarrelFile: each line is a module that can be removed

export { sql } from "./sql/face.js";
