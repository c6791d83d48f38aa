// Opens the page of `policenotify dev` in headless Chromium, uses its form, and waits for what the tests publish.
// In:  {"chromium": path, "url": url, "publish": url} on standard input
// Out: {"reloading": [violation], …} on standard output
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const asked = JSON.parse(readFileSync(0, "utf8"));

const browser = await chromium.launch({
  executablePath: asked.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});

async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target + " " + node.failureSummary).join(" | ")}`);
}

const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "fr-FR" });
const page = await context.newPage();
const complaints = [];
page.on("console", (one) => ["error", "warning"].includes(one.type()) && complaints.push(one.text()));
page.on("pageerror", (one) => complaints.push(String(one)));
await page.goto(asked.url, { waitUntil: "load" });
const reloading = await violations(page);
const live = { reloading };
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
process.stdout.write(JSON.stringify(live));
