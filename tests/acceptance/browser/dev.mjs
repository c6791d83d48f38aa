// Opens the page of `policenotify dev` in headless Chromium, uses its switches, and waits for what the tests publish.
// In:  {"chromium": path, "url": url, "publish": url, "widths": [320]} on standard input
// Out: {"views": [{width, scheme, …}], "live": {…}} on standard output
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const asked = JSON.parse(readFileSync(0, "utf8"));

function sticksOut() {
  const page = document.documentElement;
  const found = page.scrollWidth > page.clientWidth ? [`the page: ${page.scrollWidth} of ${page.clientWidth}`] : [];
  for (const one of document.querySelectorAll("body *")) {
    const box = one.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) found.push(one.outerHTML.slice(0, 80));
  }
  return found;
}

const browser = await chromium.launch({
  executablePath: asked.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});

async function opened(width, scheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, locale: "fr-FR" });
  const page = await context.newPage();
  const complaints = [], requests = [];
  page.on("console", (one) => ["error", "warning"].includes(one.type()) && complaints.push(one.text()));
  page.on("pageerror", (one) => complaints.push(String(one)));
  page.on("request", (one) => requests.push(one.url()));
  await page.goto(asked.url, { waitUntil: "load" });
  await page.locator("article").first().waitFor({ timeout: 10000 });
  return { page, complaints, requests };
}

const views = [];
for (const scheme of ["light", "dark"]) {
  for (const width of asked.widths) {
    const { page, complaints, requests } = await opened(width, scheme);
    const told = { width, scheme, title: await page.title(), sticksOut: await page.evaluate(sticksOut), texts: await page.locator("article").allTextContents() };
    // Without the page's policy the script of the tests would run, too: it is evaluated by the browser's own protocol.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    told.violations = violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target + " " + node.failureSummary).join(" | ")}`);
    views.push({ ...told, complaints: [...complaints], requests: [...requests] });
    await page.context().close();
  }
}

const { page, complaints } = await opened(1280, "light");
const live = {};
await fetch(asked.publish, { method: "POST" });
await page.getByText("Circulation rétablie.").waitFor({ timeout: 10000 });
live.news = await page.getByRole("status").textContent();
live.first = await page.locator("#section-x article").first().textContent();
const down = page.getByRole("group", { name: /Comportement/ }).first().getByLabel(/injoignable/);
await page.getByRole("group", { name: /Comportement/ }).first().getByLabel(/normal/).focus();
await page.keyboard.press("ArrowDown"); // slow
await page.keyboard.press("ArrowDown"); // down
await page.locator('#section-x[data-mode="down"]').waitFor({ timeout: 10000 });
live.down = await down.isChecked();
live.focused = await down.evaluate((one) => one === document.activeElement);
live.state = await (await fetch(asked.url + "state.json")).json();
await page.getByRole("button", { name: /Tout effacer/ }).click();
await page.locator("article").first().waitFor({ state: "detached", timeout: 10000 });
live.reset = await page.locator("#section-x").getAttribute("data-mode");
live.none = await page.getByText("Aucun post.").count();
live.complaints = complaints;
await browser.close();
process.stdout.write(JSON.stringify({ views, live }));
