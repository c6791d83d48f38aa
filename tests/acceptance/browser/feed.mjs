// Opens the pages of a feed in headless Chromium, as its server sends them; what is right is decided by the tests.
// In:  {"chromium": path, "pages": {name: url}, "widths": [320]} on standard input
// Out: [{page, width, scheme, …}] on standard output
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const asked = JSON.parse(readFileSync(0, "utf8"));

function geometry() {
  const page = document.documentElement;
  const sticksOut = page.scrollWidth > page.clientWidth ? [`the page: ${page.scrollWidth} of ${page.clientWidth}`] : [];
  for (const one of document.querySelectorAll("main *, header *, footer *")) {
    const box = one.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) sticksOut.push(one.outerHTML.slice(0, 80));
  }
  return {
    sticksOut,
    headings: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((one) => Number(one.localName[1])),
    background: getComputedStyle(document.body).backgroundColor,
    banners: [...document.querySelectorAll(".banner")].map((one) => getComputedStyle(one).borderTopStyle),
    broken: [...document.images].filter((one) => !one.naturalWidth).map((one) => one.src),
  };
}

const browser = await chromium.launch({
  executablePath: asked.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});
const found = [];
for (const [name, url] of Object.entries(asked.pages)) {
  for (const scheme of ["light", "dark"]) {
    for (const width of asked.widths) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
      const page = await context.newPage();
      const complaints = [], requests = [];
      page.on("console", (one) => ["error", "warning"].includes(one.type()) && !one.location().url.endsWith("/favicon.ico") && complaints.push(one.text()));
      page.on("pageerror", (one) => complaints.push(String(one)));
      page.on("request", (one) => requests.push(one.url()));
      await page.goto(url, { waitUntil: "load" });
      const told = { page: name, width, scheme, title: await page.title(), ...(await page.evaluate(geometry)) };
      Object.assign(told, { complaints: [...complaints], requests: [...requests].filter((one) => !one.endsWith("/favicon.ico")) });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      told.violations = violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target + " " + node.failureSummary).join(" | ")}`);
      found.push(told);
      await context.close();
    }
  }
}
await browser.close();
process.stdout.write(JSON.stringify(found));
