/**
 * The root of a binary hash tree of the ids of decisions. Members vote for several decisions together by signing the
 * root; the path of a decision shows that it is one of them. Source: docs/member-protocol.md "Decisions".
 */
import type { ByteString } from "../byte-string.js";

type Hash = (bytes: Buffer) => ByteString;

/** The first byte of an inner node, so that no node is also an id. */
const NODE = "\x01";

/** Returns the next level of a tree. A node without a neighbour remains as it is. */
function levelAbove(nodes: readonly ByteString[], hash: Hash): ByteString[] {
  const level: ByteString[] = [];
  for (let i = 0; i < nodes.length; i += 2) level.push(above(nodes[i] as ByteString, nodes[i + 1], hash));
  return level;
}

const above = (left: ByteString, right: ByteString | undefined, hash: Hash): ByteString =>
  right === undefined ? left : hash(Buffer.from(NODE + left + right, "latin1"));

/** Returns the root of a tree. @param ids  at least one */
export function rootOf(ids: readonly ByteString[], hash: Hash): ByteString {
  let nodes = ids;
  while (nodes.length > 1) nodes = levelAbove(nodes, hash);
  return nodes[0] as ByteString;
}

/**
 * Returns the path of each decision: its neighbour and those of the nodes above it, as far as they exist. The nodes are
 * computed once for all paths.
 */
export function pathsOf(ids: readonly ByteString[], hash: Hash): ByteString[][] {
  const paths = ids.map((): ByteString[] => []);
  let nodes = ids;
  for (let level = 0; nodes.length > 1; level++) {
    for (const [index, path] of paths.entries()) {
      const neighbour = nodes[(index >> level) ^ 1];
      if (neighbour !== undefined) path.push(neighbour);
    }
    nodes = levelAbove(nodes, hash);
  }
  return paths;
}

/**
 * Returns the root to which a path leads.
 * @param place  the decision's index and the number of decisions
 * @returns null if the path has another length
 */
export function rootFrom(
  id: ByteString,
  { index, count }: { readonly index: number; readonly count: number },
  path: readonly ByteString[],
  hash: Hash,
): ByteString | null {
  let node = id;
  let used = 0;
  for (let [at, nodes] = [index, count]; nodes > 1; at >>= 1, nodes = (nodes + 1) >> 1) {
    if ((at ^ 1) >= nodes) continue;
    const neighbour = path[used++];
    if (neighbour === undefined) return null;
    node = at % 2 === 0 ? above(node, neighbour, hash) : above(neighbour, node, hash);
  }
  return used === path.length ? node : null;
}
