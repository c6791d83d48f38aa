// How many extended grapheme clusters each text of a JSON array has: read from standard input, answered on standard output.
let input = '';
for await (const part of process.stdin.setEncoding('utf8')) input += part;

const segmenter = new Intl.Segmenter('fr', { granularity: 'grapheme' });
const counts = JSON.parse(input).map((text) => [...segmenter.segment(text)].length);
process.stdout.write(JSON.stringify({ unicode: process.versions.unicode, counts }));
