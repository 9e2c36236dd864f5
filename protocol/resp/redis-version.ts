/** The Redis version whose commands and texts are implemented; clients check it before they use newer commands. */
export const REDIS_VERSION = "7.0.15";
