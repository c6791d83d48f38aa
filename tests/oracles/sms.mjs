// How npm sms-segments-calculator sends each text of a JSON array: read from standard input, answered on standard output.
// It never cuts a grapheme, which gateways do: `clustered` tells the texts in which that can make a difference.
import calculator from 'sms-segments-calculator';

let input = '';
for await (const part of process.stdin.setEncoding('utf8')) input += part;

const answers = JSON.parse(input).map((text) => {
  const sent = new calculator.SegmentedMessage(text);
  return {
    encoding: sent.encodingName,
    segments: sent.segmentsCount,
    parts: sent.segments.map((segment) => Array.from(segment, (sign) => sign.raw ?? '').join('')),
    clustered: sent.graphemes.length !== [...text].length,
  };
});
process.stdout.write(JSON.stringify(answers));
