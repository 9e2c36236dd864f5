/** The default theme with system fonts, so that a page loads no font. */
import theme from "vitepress/theme-without-fonts";
import "./style.css";

export default theme;
