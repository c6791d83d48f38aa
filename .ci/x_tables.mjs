// What npm twitter-text 3.1.0 and its twemoji-parser know, as JSON, for build_tlds.py.
// A class of characters is asked of the regular expression itself, code point by code point: what the flag `i` adds to
// it is JavaScript's business. Usage: node x_tables.mjs DIRECTORY_WITH_NODE_MODULES

import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(path.resolve(process.argv[2]), 'package.json'));
const rule = (name) => {
  const loaded = require(`twitter-text/dist/regexp/${name}.js`);
  return (loaded.default ?? loaded).source;
};
const ranges = (source, flags) => {
  const one = new RegExp(`^(?:${source})$`, flags);
  const found = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if (!one.test(String.fromCodePoint(code))) continue;
    if (found.length && found.at(-1)[1] === code - 1) found.at(-1)[1] = code;
    else found.push([code, code]);
  }
  return found;
};
const names = (name) => rule(name).match(/^\(\?:\(\?:(.*)\)\(\?=/)[1].split('|');

const latin = rule('latinAccentChars');
process.stdout.write(
  JSON.stringify({
    tlds: [...names('validGTLD'), ...names('validCCTLD')],
    emoji: require('twemoji-parser/dist/lib/regex.js').default.source,
    letters: {
      LATIN: ranges(`[${latin}]`, ''),
      HOST: ranges(`[\\-a-z0-9${latin}]`, 'i'),
      PATH: ranges(rule('validGeneralUrlPathChars'), 'i'),
      PATH_END: ranges(rule('validUrlPathEndingChars').split('|(?:')[0], 'i'),
      TAG: ranges(rule('hashtagAlphaNumeric'), 'i'),
      TAG_LETTER: ranges(rule('hashtagAlpha'), 'i'),
    },
  }),
);
