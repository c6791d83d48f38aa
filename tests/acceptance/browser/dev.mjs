// Opens the page of `policenotify dev` in headless Chromium, uses its form, and waits for what the tests publish.
// In:  {"chromium": path, "url": url, "publish": url, "widths": [320]} on standard input
// Out: {"views": [{width, scheme, …}], "reloading": [violation], "live": {…}} on standard output
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

async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target + " " + node.failureSummary).join(" | ")}`);
}

async function opened(width, scheme, path = "?still") {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, locale: "fr-FR" });
  const page = await context.newPage();
  const complaints = [], requests = [];
  page.on("console", (one) => ["error", "warning"].includes(one.type()) && complaints.push(one.text()));
  page.on("pageerror", (one) => complaints.push(String(one)));
  page.on("request", (one) => requests.push(one.url()));
  await page.goto(asked.url + path, { waitUntil: "load" });
  await page.locator("article").first().waitFor({ timeout: 10000 });
  return { page, complaints, requests };
}

const views = [];
for (const scheme of ["light", "dark"]) {
  for (const width of asked.widths) {
    const { page, complaints, requests } = await opened(width, scheme);
    const texts = await page.locator("article").allTextContents();
    const pictures = await page.locator("img").evaluateAll((all) => all.map((one) => one.naturalWidth));
    // Without the page's policy the script of the tests would run, too: it is evaluated by the browser's own protocol.
    const found = await violations(page);
    views.push({ width, scheme, title: await page.title(), sticksOut: await page.evaluate(sticksOut), texts, pictures, violations: found, complaints: [...complaints], requests: [...requests] });
    await page.context().close();
  }
}

const { page, complaints } = await opened(1280, "light", "");
const reloading = await violations(page);
const live = {};
await fetch(asked.publish, { method: "POST" });
await page.getByText("Circulation rétablie.").waitFor({ timeout: 20000 });
live.last = await page.locator(".net-x article").last().textContent();
await page.getByRole("link", { name: /Ne plus recharger/ }).click();
const x = page.getByRole("group", { name: "x" });
await x.getByRole("button", { name: "normal" }).focus();
await page.keyboard.press("Tab"); // slow
await page.keyboard.press("Tab"); // down
await page.keyboard.press("Enter");
await x.locator('[value="down"][aria-pressed="true"]').waitFor({ timeout: 10000 });
live.pressed = await x.locator('[aria-pressed="true"]').textContent();
live.still = page.url().endsWith("/?still");
await x.locator('[value="normal"]').click();
await x.locator('[value="normal"][aria-pressed="true"]').waitFor({ timeout: 10000 });
await x.locator('[value="down"]').click();
await x.locator('[value="down"][aria-pressed="true"]').waitFor({ timeout: 10000 });
live.complaints = complaints;
await browser.close();
process.stdout.write(JSON.stringify({ views, reloading, live }));
