/**
 * The faces and tools of this build of dbsyncd: the only list of them. To remove one, remove its folder and its line.
 */
// biome-ignore-all lint/performance/noBarrelFile: each line is a face that can be removed

export { json } from "../faces/json/face.js";
export { memcached } from "../faces/memcached/face.js";
export { mongo } from "../faces/mongo/face.js";
export { natsOrder } from "../faces/nats-order/face.js";
export { redis } from "../faces/redis/face.js";
export { redisBehind } from "../faces/redis-behind/face.js";
export { redisMirror } from "../faces/redis-mirror/face.js";
export { sentinel } from "../faces/sentinel/face.js";
export { sidecar } from "../faces/sidecar/face.js";
export { sql } from "../faces/sql/face.js";
export { users } from "../faces/users/face.js";
export { web } from "../faces/web/face.js";
export { admin } from "../tools/admin/face.js";
