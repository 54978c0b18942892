// Opens pages in Debian's chromium and reports what a person would find: accessibility faults (axe-core), errors of the page,
// what does not fit, and the text that is shown. Reads one JSON object from stdin, writes one to stdout.
//   {chromium, shots, pages: [{name, url, wait, open}]}  ->  [{name, width, scheme, violations, errors, overflow, overlaps, text}]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.ORCHESTRATOR_BROWSER, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const task = JSON.parse(readFileSync(0, "utf8"));

const patience = 180_000; // milliseconds: a machine that runs other tests draws a page in a minute

const browser = await chromium.launch({ executablePath: task.chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const out = [];
for (const page of task.pages) {
  for (const [width, scheme] of page.views ?? [[390, "light"], [1280, "dark"]]) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true, reducedMotion: "reduce" });
    context.setDefaultTimeout(patience);
    const p = await context.newPage();
    const errors = [];
    let under = 0, overlaps = 0;
    p.on("pageerror", (e) => errors.push(String(e)));
    p.on("console", (m) => { if (m.type() === "error" && !/status of (404|500|503)/.test(m.text())) errors.push(m.text()); });
    p.on("request", (r) => { if (r.url().endsWith("/lag") && ++under > 1) overlaps++; });
    for (const event of ["requestfinished", "requestfailed"]) p.on(event, (r) => { if (r.url().endsWith("/lag")) under--; });
    await p.goto(page.url);
    const shown = await p.waitForFunction((t) => document.body.innerText.includes(t), page.wait, { timeout: patience }).then(() => true, () => false);
    if (!shown) errors.push("it never showed " + JSON.stringify(page.wait));
    await p.waitForFunction(() => !/loading/i.test(document.querySelector("main").innerText), null, { timeout: patience }).catch(() => errors.push("something is loading for ever"));
    if (page.open) {
      await p.locator("summary").first().click();
      await p.getByText(page.open).first().waitFor({ timeout: patience }).catch(() => errors.push("opened, it never showed " + page.open));
    }
    if (page.act) {
      await p.getByRole("button", { name: page.act }).first().click();
      await p.getByRole("textbox").fill("tested by a browser");
      await p.screenshot({ path: join(task.shots, `${page.name}-${width}-${scheme}-dialog.png`) });
      await p.getByRole("button", { name: /^(Do it|Retry|Resume|Pause|Close now)$/ }).last().click();
      await p.waitForFunction((t) => document.body.innerText.includes(t), page.then, { timeout: patience }).catch(() => errors.push("acted, it never showed " + page.then));
    }
    await p.evaluate(axe);
    const found = await p.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    const overflow = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await p.screenshot({ path: join(task.shots, `${page.name}-${width}-${scheme}.png`), fullPage: true });
    out.push({
      name: page.name, width, scheme, errors, overflow, overlaps, text: await p.evaluate(() => document.body.innerText),
      violations: found.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(" ").slice(0, 300)}`),
    });
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify(out));
