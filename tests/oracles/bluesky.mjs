// What npm @atproto/api counts and links in each text of a JSON array: read from standard input, answered on standard output.
import { RichText } from '@atproto/api';

let input = '';
for await (const part of process.stdin.setEncoding('utf8')) input += part;

const answers = JSON.parse(input).map((text) => {
  const rich = new RichText({ text });
  rich.detectFacetsWithoutResolution();
  const facets = (rich.facets ?? []).map(({ index, features: [feature] }) => ({
    kind: feature.$type.split('#')[1],
    index: [index.byteStart, index.byteEnd],
    value: feature.uri ?? feature.tag ?? feature.did,
  }));
  return { graphemes: rich.graphemeLength, bytes: rich.length, facets };
});
process.stdout.write(JSON.stringify(answers));
