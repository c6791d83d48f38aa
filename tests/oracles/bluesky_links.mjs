// What Bluesky's app makes of each link of a JSON array of `what-is-shown where-it-leads`: read from standard input,
// answered on standard output. `short` is how its composer would show the address (`toShortUrl`), `warns` whether it asks
// readers before it follows the link (`linkRequiresWarning`). Both are in no package, and written again here after
// `src/lib/strings/url-helpers.ts` of https://github.com/bluesky-social/social-app.
let input = '';
for await (const part of process.stdin.setEncoding('utf8')) input += part;

const read = (url) => (URL.canParse(url) ? new URL(url) : null);
const host = (shown) => (read(shown) ?? read(`https://${shown}`))?.hostname;

const answers = JSON.parse(input).map((link) => {
  const [shown, uri] = link.split(' ');
  const url = new URL(uri);
  const path = (url.pathname === '/' ? '' : url.pathname) + url.search + url.hash;
  return {
    short: url.host + (path.length > 15 ? `${path.slice(0, 13)}...` : path),
    warns: !host(shown) || host(shown) !== url.hostname,
  };
});
process.stdout.write(JSON.stringify(answers));
