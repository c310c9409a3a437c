// ReDoc. It has no dark colours of its own, so the page is light for everybody.
"use strict";

document.documentElement.style.colorScheme = "only light";
Redoc.init("openapi.json", {}, document.getElementById("api"), () => {
  document.title = document.querySelector("h1")?.textContent ?? document.title;
});
