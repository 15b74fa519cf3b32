import { expect, test } from '@jest/globals';
import { differencesOf, type FoundTopic } from './topic-settings.ts';

const spec = {
  topic: 'jobs',
  partitions: 6,
  replication: 3,
  config: { 'retention.ms': '1000', 'cleanup.policy': 'compact', 'segment.ms': '5' },
};

const good: FoundTopic = {
  partitions: 6,
  replicas: 3,
  config: { 'retention.ms': '1000', 'cleanup.policy': 'compact', 'segment.ms': '9' },
};

test.each<[string, Partial<FoundTopic>, string[]]>([
  ['meets the needs exactly', {}, []],
  [
    'exceeds the needs',
    { partitions: 12, replicas: 5, config: { ...good.config, 'retention.ms': '2000' } },
    [],
  ],
  ['keeps its messages forever', { config: { ...good.config, 'retention.ms': '-1' } }, []],
  [
    'has fewer partitions or replicas',
    { partitions: 3, replicas: 1 },
    ['partitions 3 < 6', 'replicas 1 < 3'],
  ],
  [
    'deletes messages too soon',
    { config: { ...good.config, 'retention.ms': '999' } },
    ['retention.ms 999 < 1000'],
  ],
  [
    'has another cleanup policy',
    { config: { ...good.config, 'cleanup.policy': 'delete' } },
    ['cleanup.policy delete < compact'],
  ],
  ['does not reveal its settings', { config: {} }, []],
])('differences of a topic that %s', (_what, found, differences) => {
  const told = differencesOf(spec, { ...good, ...found });
  expect(told.map((one) => `${one.setting} ${one.found} < ${one.needed}`)).toEqual(differences);
});

test('a size limit on a topic that must keep everything is a difference', () => {
  const needed = { topic: 't', partitions: 1, config: { 'retention.bytes': '-1' } };
  const found = { partitions: 1, replicas: 1, config: { 'retention.bytes': '5000' } };
  expect(differencesOf(needed, found)).toHaveLength(1);
});
