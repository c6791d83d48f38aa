// What npm twitter-text 3.1.0 says of each text of a JSON array: read from standard input, answered on standard output.
import twitter from 'twitter-text';

const { extractEntitiesWithIndices, extractUrlsWithIndices, parseTweet } = twitter;

let input = '';
for await (const part of process.stdin.setEncoding('utf8')) input += part;

const kind = (entity) => Object.keys(entity).find((key) => !['indices', 'listSlug'].includes(key));
const answers = JSON.parse(input).map((text) => {
  try {
    const { weightedLength, valid } = parseTweet(text);
    const entities = extractEntitiesWithIndices(text).map((entity) => ({
      kind: { url: 'url', screenName: entity.listSlug ? 'list' : 'mention', hashtag: 'hashtag', cashtag: 'cashtag' }[kind(entity)],
      indices: entity.indices,
      value: entity[kind(entity)] + (entity.listSlug || ''),
    }));
    const urls = extractUrlsWithIndices(text).map((entity) => [...entity.indices, entity.url]);
    return { weight: weightedLength, valid, entities, urls };
  } catch (error) {
    return { error: String(error) };
  }
});
process.stdout.write(JSON.stringify(answers));
