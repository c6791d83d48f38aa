// The top-level domains that npm twitter-text 3.1.0 knows, as JSON, for build_tlds.py.
// Usage: node x_tables.mjs DIRECTORY_WITH_NODE_MODULES

import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(path.resolve(process.argv[2]), 'package.json'));
const names = (name) => {
  const loaded = require(`twitter-text/dist/regexp/${name}.js`);
  return (loaded.default ?? loaded).source.match(/^\(\?:\(\?:(.*)\)\(\?=/)[1].split('|');
};
process.stdout.write(JSON.stringify([...names('validGTLD'), ...names('validCCTLD')]));
