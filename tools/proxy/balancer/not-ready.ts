/**
 * Detects the error of a dbsyncd that may be missing recent writes, because it or its peers are reconnecting. The
 * daemon has not executed the statement.
 */
import { ERROR_HEAD } from "../../../faces/sql/bytes/sql-frames.js";
import type { UpstreamAnswer } from "../upstream/statement-outcome.js";

const NOT_READY = `RESULT_MESSAGE\n${ERROR_HEAD}LOADING `;

export const isNotReady = ({ frame }: UpstreamAnswer): boolean => frame.bytes.startsWith(NOT_READY);
