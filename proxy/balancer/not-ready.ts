/**
 * The errors of a dbsyncd that reconnects, or whose peers do, and that misses what was written meanwhile: the statement was not executed.
 */
import { ERROR_HEAD } from "../../protocol/sql-frames.js";
import type { UpstreamAnswer } from "../upstream/outcome.js";

const NOT_READY = `RESULT_MESSAGE\n${ERROR_HEAD}LOADING `;

export const isNotReady = ({ frame }: UpstreamAnswer): boolean => frame.bytes.startsWith(NOT_READY);
