import type { Random } from './random.ts';

/** The parts of JSON Schema that the API's description uses. */
export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

const TEXTS = [
  '',
  ' ',
  'a',
  'turnout-sim',
  'auto',
  'none',
  '0',
  '-1',
  'null',
  '../../etc/passwd',
  '%00',
  '\u0000',
  '\ud800',
  '{}',
  '[[sim: tokens=3]] Hello?',
  '💥',
  'x'.repeat(5_000),
  '\r\nx-injected: 1',
  '${jndi:ldap://x}',
  "' OR 1=1 --",
  'file-00000000000000000000000000000000',
  'resp_0',
  '__proto__',
  'constructor',
  'data:text/plain;base64,AAAA',
] as const;
const NUMBERS = [0, 1, -1, 0.5, 2, 1e9, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 5e-324] as const;

/** Any JSON value. */
export function anything(random: Random, depth = 3): unknown {
  const kinds = depth > 0 ? 7 : 5;
  switch (random.below(kinds)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.of(NUMBERS);
    case 3:
    case 4:
      return random.of(TEXTS);
    case 5:
      return Array.from({ length: random.below(4) }, () => anything(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [random.of(TEXTS), anything(random, depth - 1)]),
      );
  }
}

/** The probability that a value does not follow its schema. */
const WRONG = 0.06;

/** A value that mostly follows the schema. */
export function valueOf(schema: Schema, random: Random, depth = 8): unknown {
  if (depth === 0 || random.chance(WRONG)) return anything(random);
  if ('const' in schema) return schema.const;
  const [first, ...rest] = schema.enum ?? [];
  if (schema.enum) return random.of([first, ...rest]);
  const [choice, ...others] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [];
  if (choice) return valueOf(random.of([choice, ...others]), random, depth - 1);
  const [type, ...types] = [schema.type ?? 'any'].flat();
  switch (random.of([type ?? 'any', ...types])) {
    case 'object':
      return objectOf(schema, random, depth);
    case 'array':
      return Array.from({ length: random.below(3) + 1 }, () =>
        valueOf(schema.items ?? {}, random, depth - 1),
      );
    case 'string':
      return random.chance(0.5) ? 'turnout-sim' : random.of(TEXTS);
    case 'integer':
    case 'number':
      return random.chance(0.5) ? random.below(20) : random.of(NUMBERS);
    case 'boolean':
      return random.chance(0.5);
    case 'null':
      return null;
    default:
      return anything(random);
  }
}

function objectOf({ properties = {}, required = [] }: Schema, random: Random, depth: number): unknown {
  const members = Object.entries(properties).filter(
    ([name]) => required.includes(name) || random.chance(0.15),
  );
  const known = members.map(([name, schema]): [string, unknown] => [
    name,
    valueOf(schema, random, depth - 1),
  ]);
  const odd: [string, unknown][] = random.chance(WRONG) ? [[random.of(TEXTS), anything(random)]] : [];
  return Object.fromEntries([...known.filter(() => !random.chance(WRONG / 3)), ...odd]);
}

/** A copy of the value with some members replaced or missing. */
export function spoilt(value: unknown, random: Random): unknown {
  if (random.chance(WRONG)) return anything(random);
  if (Array.isArray(value)) return value.map((item) => spoilt(item, random));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      random.chance(WRONG / 2) ? [] : [[name, spoilt(member, random)]],
    ),
  );
}
