/** Stands for the connection of a session that pushes nothing. */
import { Socket } from "node:net";
import type { LiveConnection } from "../../listeners/dbsync/live-sessions.js";

export const NOWHERE: LiveConnection = { remote: "test", push() {}, drop() {}, socket: new Socket() };
