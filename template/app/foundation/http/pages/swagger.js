// Swagger UI, and a form that signs in. Every answer that brings tokens authorizes this page, be it
// of the form or of "Try it out". The tokens live in this page alone: a reload forgets them.
"use strict";

const element = (id) => document.getElementById(id);
let tokens = null; // {accessToken, refreshToken}
let refreshing = null;

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // or it would ask a foreign host
  requestInterceptor: withFreshToken,
  responseInterceptor: (response) => {
    if (response.ok) take(response.body);
    return response;
  },
  onComplete: () => { document.title = ui.specSelectors.info().get("title"); },
});

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (tokens) headers.Authorization = `Bearer ${tokens.accessToken}`;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

function take(answer) {
  if (!answer?.accessToken || !answer.refreshToken) return;
  tokens = { accessToken: answer.accessToken, refreshToken: answer.refreshToken };
  authorize(tokens.accessToken);
  if (answer.user) element("who").textContent = `${answer.user.email} (${answer.user.role})`;
  show(true);
}

function forget() {
  tokens = null;
  ui.authActions.logout(schemes());
  show(false);
}

function show(isSignedIn, problem = "") {
  element("sign-in").hidden = isSignedIn;
  element("signed-in").hidden = !isSignedIn;
  element("problem").hidden = !problem;
  element("problem").textContent = problem;
}

// The names of what takes a bearer token, as the document has them.
function schemes() {
  const all = ui.specSelectors.specJson().getIn(["components", "securitySchemes"]);
  return all ? [...all.filter((scheme) => scheme.get("scheme") === "bearer").keys()] : [];
}

function authorize(token) {
  for (const name of schemes()) ui.preauthorizeApiKey(name, token);
}

// An access token lives for minutes, a page that is read for hours: refresh before it is too late.
async function withFreshToken(request) {
  if (!tokens || request.headers.Authorization !== `Bearer ${tokens.accessToken}`) return request;
  if (secondsLeft(tokens.accessToken) > 10) return request;
  try {
    refreshing ??= post("api/auth/refresh", { refreshToken: tokens.refreshToken });
    take(await refreshing);
    request.headers.Authorization = `Bearer ${tokens.accessToken}`;
  } catch (error) {
    forget();
    show(false, error.message);
  } finally {
    refreshing = null;
  }
  return request;
}

function secondsLeft(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(atob(payload)).exp - Date.now() / 1000;
}

element("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    take(await post("api/auth/login", Object.fromEntries(new FormData(form))));
    form.reset();
  } catch (error) {
    show(false, error.message);
  }
});

element("sign-out").addEventListener("click", async () => {
  const { refreshToken } = tokens;
  try {
    await post("api/auth/logout", { refreshToken });
  } catch {
    // It has ended already.
  }
  forget();
});
