/**
 * The default theme with the system's fonts, so that a page loads no font, and the picture of the timeline on its page.
 */
import { useData } from "vitepress";
import theme from "vitepress/theme-without-fonts";
import { h } from "vue";
import TimelinePicture from "./TimelinePicture.vue";
import "./style.css";

/** The page that the picture belongs to. */
const TIMELINE_PAGE = "docs/consistency.md";

export default {
  extends: theme,
  Layout: {
    setup() {
      const { page } = useData();
      return () =>
        h(theme.Layout, null, {
          "doc-before": () => (page.value.relativePath === TIMELINE_PAGE ? h(TimelinePicture) : null),
        });
    },
  },
};
