// Drives a real Chromium for scripts/browser_client.py: `node browser_client.mjs API PAGE SIBLING FOREIGN CHROMIUM`.
import { chromium } from "playwright-core";

const [api, page, sibling, foreign, executablePath] = process.argv.slice(2);
const ADA = ["ada@example.com", "Correct-Horse-7"];
const ROUNDS = 10;

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const results = {};

async function signedIn() {
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.goto(page);
  const status = await tab.evaluate(([email, password]) => window.client.signIn(email, password)
    .then((answer) => answer.status), ADA);
  if (status !== 200) throw new Error(`signing in: ${status}`);
  return { context, tab };
}

const profile = (tab) => tab.evaluate(() => window.client.api("/api/users/me").then((answer) => answer.status));

{ // What a script can see of the refresh token.
  const { context, tab } = await signedIn();
  const [cookie] = await context.cookies(api);
  results.cookie = { name: cookie.name, httpOnly: cookie.httpOnly, secure: cookie.secure, sameSite: cookie.sameSite };
  results.visibleToScripts = await tab.evaluate(() => document.cookie);
  await context.close();
}

{ // A reload, and tabs that ask at once: each has no access token, so each refreshes.
  let signedOut = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { context } = await signedIn();
    const tabs = await Promise.all([1, 2, 3].map(() => context.newPage()));
    await Promise.all(tabs.map((tab) => tab.goto(page)));
    const statuses = await Promise.all(tabs.flatMap((tab) => [profile(tab), profile(tab)]));
    signedOut += statuses.filter((status) => status !== 200).length;
    await context.close();
  }
  results.threeTabs = { requests: ROUNDS * 6, signedOut };
}

{ // The answer to a refresh is lost on its way, after the API has turned the token.
  let signedOut = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { context } = await signedIn();
    const tab = await context.newPage();
    await tab.goto(page);
    let lost = false;
    await tab.route("**/api/auth/refresh", async (route) => {
      if (lost || route.request().method() !== "POST") return route.fallback();
      lost = true;
      const headers = await route.request().allHeaders();
      const kept = Object.fromEntries(["cookie", "origin", "content-type", "user-agent"].map((name) => [name, headers[name]]));
      const answer = await fetch(`${api}/api/auth/refresh`, { method: "POST", headers: kept, body: "{}" });
      if (answer.status !== 200) throw new Error(`losing an answer: ${answer.status}`);
      await route.abort("connectionreset");
    });
    if ((await profile(tab)) !== 200) signedOut++;
    await context.close();
  }
  results.lostAnswer = { rounds: ROUNDS, signedOut };
}

{ // Asleep: the network is away when the page wakes, and comes back after two seconds.
  const { context } = await signedIn();
  const tab = await context.newPage();
  await tab.goto(page);
  await context.setOffline(true);
  const asked = tab.evaluate(() => window.client.api("/api/auth/refresh", { method: "POST", body: "{}" }).catch(() => null)
    .then(() => window.client.api("/api/users/me")).then((answer) => answer.status).catch((error) => error.message));
  await tab.waitForTimeout(500);
  await context.setOffline(false);
  const first = await asked;
  results.sleep = first === 200 ? 200 : await profile(tab);
  await context.close();
}

{ // Pages of somebody else, and a sandboxed frame in ours: they use the cookie for nothing.
  const { context, tab } = await signedIn();
  const evil = await context.newPage();
  const seen = [];
  context.on("response", (answer) => {
    const request = answer.request();
    if (request.method() === "POST") seen.push(`${request.headers()["content-type"]}: ${answer.status()}`);
  });
  const attack = async (url) => {
    for (const path of ["/api/auth/refresh", "/api/auth/logout"]) {
      for (const type of ["text/plain", "application/json"]) {
        await fetch(url + path, { method: "POST", mode: type === "text/plain" ? "no-cors" : "cors", credentials: "include",
          headers: { "Content-Type": type }, body: "{}" }).catch(() => null);
      }
    }
  };
  for (const site of [sibling, foreign]) {
    await evil.goto(site);
    await evil.evaluate(attack, api);
    const answered = evil.waitForResponse((answer) => answer.request().method() === "POST");
    await evil.evaluate((url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", action: `${url}/api/auth/logout`, enctype: "text/plain" });
      document.body.append(form);
      form.submit();
    }, api);
    await answered;
  }
  await tab.evaluate((code) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.srcdoc = `<script>${code}.finally(() => parent.postMessage("done", "*"))</script>`;
    addEventListener("message", done, { once: true });
    document.body.append(frame);
  }), `(${attack})(${JSON.stringify(api)})`);
  results.forged = { answers: [...new Set(seen)].sort(), successes: seen.filter((answer) => answer.endsWith(": 200")).length };
  await tab.reload();
  results.forged.ownerAfterwards = await profile(tab);
  await context.close();
}

{ // Signing out ends the session in every tab.
  const { context, tab } = await signedIn();
  await tab.evaluate(() => window.client.signOut());
  const other = await context.newPage();
  await other.goto(page);
  results.signedOut = { status: await profile(other), cookies: (await context.cookies(api)).length };
  await context.close();
}

console.log(JSON.stringify(results, null, 2));
await browser.close();
