/** What dbsyncd says that has come back, or others of which come back, and lacks what was written meanwhile: it has done nothing. */
import { ERROR_HEAD } from "../../protocol/sql-frames.js";
import type { UpstreamAnswer } from "../upstream/outcome.js";

const NOT_READY = `RESULT_MESSAGE\n${ERROR_HEAD}LOADING `;

export const isNotReady = ({ frame }: UpstreamAnswer): boolean => frame.bytes.startsWith(NOT_READY);
