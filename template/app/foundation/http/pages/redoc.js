// ReDoc, in the colours that its reader prefers.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const night = {
  colors: {
    primary: { main: "#8ab4f8" },
    text: { primary: "#e4e6e6", secondary: "#b0b6bb" },
    border: { dark: "#3c4247", light: "#2b3034" },
    gray: { 50: "#24292d", 100: "#2b3034" },
    responses: { success: { color: "#7fd18c" }, error: { color: "#ff8a80" } },
  },
  schema: { nestedBackground: "#24292d", typeNameColor: "#b0b6bb", requireLabelColor: "#ff8a80" },
  sidebar: { backgroundColor: "#24292d", textColor: "#e4e6e6" },
  rightPanel: { backgroundColor: "#15191c" },
  codeBlock: { backgroundColor: "#0e1113" },
};
Redoc.init("openapi.json", dark ? { theme: night } : {}, document.getElementById("api"), () => {
  document.title = document.querySelector("h1")?.textContent ?? document.title;
});
