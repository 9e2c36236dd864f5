/**
 * The order of the pages, which is that of "Next steps" in README.md. Paths are relative to the root of the
 * repository.
 */

/** The groups of the sidebar. The build fails if a page of docs/ is missing here: see `sidebar`. */
export const groups = [
  {
    text: "Start",
    pages: ["README.md", "docs/tour.md", "docs/first-contact.md", "docs/active-active.md", "docs/README.md"],
  },
  {
    text: "Production",
    pages: [
      "docs/production.md",
      "install.md",
      "docs/setup.md",
      "docs/docker.md",
      "docs/kubernetes.md",
      "docs/operations.md",
      "docs/runbooks.md",
      "docs/scale.md",
      "docs/troubleshooting.md",
      "docs/glossary.md",
      "docs/metrics.md",
      "docs/limits.md",
      "docs/proxy.md",
    ],
  },
  {
    text: "Client",
    pages: [
      "client/README.md",
      "docs/api/client.md",
      "docs/api/browser.md",
      "docs/api/testing.md",
      "docs/client-package.md",
      "docs/recipes.md",
      "docs/change-feed.md",
      "docs/from-redis.md",
      "docs/migration.md",
      "docs/moving-from-php-dbsync.md",
      "docs/php.md",
      "docs/python.md",
      "docs/go.md",
      "docs/browsers.md",
    ],
  },
  {
    text: "Clients of other databases",
    pages: [
      "docs/redis-clients.md",
      "docs/commands.md",
      "docs/redis-behind.md",
      "docs/sidecar.md",
      "docs/json-documents.md",
      "docs/json-clients.md",
      "docs/mongo.md",
      "docs/mongo-collections.md",
      "docs/sql.md",
    ],
  },
  {
    text: "Guarantees",
    pages: [
      "docs/consistency.md",
      "docs/which-guarantee.md",
      "docs/keys.md",
      "docs/compatibility.md",
      "SECURITY.md",
    ],
  },
  {
    text: "Reference",
    pages: [
      "docs/protocol-v2.md",
      "docs/member-protocol.md",
      "docs/protocol.md",
      "docs/formats.md",
      "CHANGELOG.md",
      "bench/RESULTS.md",
    ],
  },
  { text: "Code", pages: ["docs/architecture.md", "CONTRIBUTING.md"] },
];

/** The names in the sidebar of pages whose title is not clear there. */
const NAMES = new Map([
  ["README.md", "What dbsync is"],
  ["client/README.md", "The library"],
]);

const DECISIONS = "docs/decisions/";

/**
 * Returns the sidebar of the default theme: the groups, followed by the decisions, which are collapsed.
 * @param pages  the pages by their paths in the repository, from `collectPages`
 * @throws Error  if a page of docs/ is in no group, or a group names a missing page
 */
export function sidebar(pages) {
  const item = (source) => {
    const page = pages.get(source);
    if (page === undefined)
      throw new Error(`site/navigation.js names ${source}, but this page does not exist`);
    return { text: NAMES.get(source) ?? page.title, link: `/${page.target.replace(/(index)?\.md$/, "")}` };
  };
  const listed = new Set(groups.flatMap((group) => group.pages));
  for (const source of pages.keys()) {
    if (/^docs\/[^/]+\.md$/.test(source) && !listed.has(source))
      throw new Error(`site/navigation.js does not list ${source}: add it to a group`);
  }
  const decisions = [...pages.keys()].filter((source) => source.startsWith(DECISIONS)).sort();
  const contents = `${DECISIONS}README.md`;
  return [
    ...groups.map((group) => ({ text: group.text, items: group.pages.map(item) })),
    {
      text: "Decisions",
      // The title has a link. Without one, it would be a button that contains another button.
      link: item(contents).link,
      collapsed: true,
      items: decisions.filter((source) => source !== contents).map(item),
    },
  ];
}
