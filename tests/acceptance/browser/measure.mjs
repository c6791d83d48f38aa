// Opens pages in headless Chromium, narrow in daylight and wide in the dark, and tells what it finds; what is right is
// decided by the tests.
// In:  {"chromium": path, "pages": {name: url}, "walk": [name]} on standard input
// Out: [{page, width, scheme, …}] on standard output
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const asked = JSON.parse(readFileSync(0, "utf8"));

// In the page: what sticks out, what lies over what, where frames are too low.
function geometry() {
  const name = (one) => `${one.localName}${one.id ? `#${one.id}` : ""}.${String(one.className?.baseVal ?? one.className).replaceAll(" ", ".")}`;
  const seen = (one) => one.checkVisibility() && one.getClientRects().length > 0;
  const box = (one) => one.getBoundingClientRect();
  const all = (what) => [...document.querySelectorAll(what)].filter(seen);
  const sticksOut = [];
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) sticksOut.push(`the page: ${page.scrollWidth} of ${page.clientWidth}`);
  for (const one of all("main *, header *, footer *")) {
    if (!one.closest(".hush") && (box(one).right > innerWidth + 1 || box(one).left < -1)) sticksOut.push(one.outerHTML.slice(0, 80));
  }
  for (const one of all(".device, .item, .face, .desk, .step, .about, .bar, .said, .text, .card, .concerns, .figures, .contents a, .marks li, .by, .envelope, summary")) {
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth) sticksOut.push(`${name(one)}: ${one.scrollWidth} of ${one.clientWidth}`);
  }
  for (const device of all(".device, .step, .mast, .contents, .about")) {
    for (const one of [...device.querySelectorAll("*")].filter(seen)) {
      if (one.closest(".hush")) continue;
      if (box(one).right > box(device).right + 1 || box(one).left < box(device).left - 1) sticksOut.push(`${name(one)} of ${name(device)}`);
    }
  }
  const overlaps = [];
  for (const parent of all(".devices, .thread, .steps, article, .face, .desk, .bar, .said, .by, .marks, .figures, .nets, .contents ol, .envelope, summary, .row, .images, .about, main, body")) {
    const parts = [...parent.children].filter((one) => seen(one) && !["absolute", "fixed"].includes(getComputedStyle(one).position));
    for (const [number, one] of parts.entries()) {
      for (const other of parts.slice(number + 1)) {
        const wide = Math.min(box(one).right, box(other).right) - Math.max(box(one).left, box(other).left);
        const high = Math.min(box(one).bottom, box(other).bottom) - Math.max(box(one).top, box(other).top);
        if (wide > 1 && high > 1) overlaps.push(`${name(one)} over ${name(other)}`);
      }
    }
  }
  return {
    sticksOut,
    overlaps,
    headings: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((one) => Number(one.localName[1])),
    background: getComputedStyle(document.body).backgroundColor,
    banners: [...document.querySelectorAll(".banner")].map((one) => getComputedStyle(one).borderTopStyle),
    texts: [...document.querySelectorAll("article")].map((one) => one.textContent),
    broken: [...document.images].filter((one) => !one.naturalWidth).map((one) => one.src),
  };
}

// Every stop of the Tab key, in order: where it is, and whether one sees that one is there.
// Without the frames: they run beside the page, and nobody could tell when the focus has left them.
async function walk(page) {
  const wanted = await page.evaluate(() => {
    for (const frame of document.querySelectorAll("iframe")) frame.remove();
    const all = [...document.querySelectorAll("*")];
    return all.flatMap((one, place) => (one.matches("a[href], summary") && one.checkVisibility() ? [place] : []));
  });
  const stops = [];
  while (stops.length < wanted.length) {
    await page.keyboard.press("Tab");
    stops.push(await page.evaluate(() => {
      const at = document.activeElement;
      const place = [...document.querySelectorAll("*")].indexOf(at);
      return { place, what: at.localName, shown: getComputedStyle(at).outlineStyle !== "none", top: at.getBoundingClientRect().top };
    }));
  }
  return { wanted, stops };
}

async function openAll(page) {
  await page.evaluate(() => { for (const one of document.querySelectorAll("details")) one.open = true; });
}

// What a person with other habits sees: by keyboard, on paper, without motion, with forced colours.
async function otherwise(page) {
  await page.reload();
  const told = { walk: await walk(page), motion: await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior) };
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  told.print = await page.evaluate(() => ({
    ink: getComputedStyle(document.body).color,
    paper: getComputedStyle(document.body).backgroundColor,
    contents: document.querySelector(".contents")?.checkVisibility() ?? false,
    closed: [...document.querySelectorAll(".envelope:not([open]) .desk")].map((one) => one.getBoundingClientRect().height),
  }));
  await page.emulateMedia({ media: "screen", forcedColors: "active" });
  told.forced = await page.evaluate(() => [...document.querySelectorAll(".stage, .bubble, .closing")].map((one) => getComputedStyle(one).borderTopColor));
  return told;
}

const browser = await chromium.launch({
  executablePath: asked.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});
const found = [];
for (const [name, url] of Object.entries(asked.pages)) {
  for (const [scheme, width] of [["dark", 1280], ["light", 320]]) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion: "reduce", locale: "fr-FR" });
    const page = await context.newPage();
    const complaints = [], requests = [];
    page.on("console", (one) => ["error", "warning"].includes(one.type()) && !one.location().url.endsWith("/favicon.ico") && complaints.push(one.text()));
    page.on("pageerror", (one) => complaints.push(String(one)));
    page.on("requestfinished", (one) => requests.push(one.url()));
    page.on("requestfailed", (one) => one.failure().errorText !== "csp" && requests.push(`${one.url()} ${one.failure().errorText}`));
    await page.goto(url, { waitUntil: "load" });
    await openAll(page);
    const told = { page: name, width, scheme, title: await page.title(), ...(await page.evaluate(geometry)), frames: [] };
    for (const frame of page.frames().slice(1)) {
      told.frames.push(await frame.evaluate(() => ({ has: innerHeight, needs: document.body.getBoundingClientRect().height, wide: document.documentElement.scrollWidth - innerWidth, title: document.title, scripts: window.owned ?? false })));
    }
    told.complaints = [...complaints];
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    told.violations = violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target + " " + node.failureSummary).join(" | ")}`);
    if (width === 1280 && asked.walk.includes(name)) Object.assign(told, await otherwise(page));
    told.requests = requests.filter((one) => !/^(data|about):|favicon.ico$/.test(one));
    found.push(told);
    await context.close();
  }
}
await browser.close();
process.stdout.write(JSON.stringify(found));
