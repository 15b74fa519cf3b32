/**
 * The architecture as rules: a service imports `shared/` and itself, nothing else of ours; and `shared/` has layers, lowest first. A
 * folder imports its own layer and the layers below it; folders in the same row do not import each other.
 */
const LAYERS = [['platform'], ['contracts'], ['jobs', 'policy', 'rollout'], ['content']];

const layerRules = LAYERS.flatMap((row, level) =>
  row.map((folder) => {
    const allowed = [folder, ...LAYERS.slice(0, level).flat()];
    return {
      name: `shared-${folder}-imports-no-higher-layer`,
      severity: 'error',
      from: { path: `^shared/${folder}/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^shared/', pathNot: `^shared/(${allowed.join('|')})/` },
    };
  }),
);

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    ...layerRules,
    {
      name: 'no-service-to-service',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'services-stand-on-shared-only',
      severity: 'error',
      from: { path: '^services/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(stack|bench|evals|test|operator)/' },
    },
    {
      name: 'shared-knows-nobody',
      severity: 'error',
      from: { path: '^shared/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(services|stack|bench|evals|test|operator)/' },
    },
    {
      name: 'the-command-line-stands-on-shared-only',
      severity: 'error',
      from: { path: '^operator/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(services|stack|bench|evals|test)/' },
    },
    {
      name: 'nobody-stands-on-the-command-line',
      severity: 'error',
      from: { pathNot: '^(operator|stack/docs)/' },
      to: { path: '^operator/' },
    },
    {
      name: 'kafkajs-behind-its-port',
      severity: 'error',
      from: {
        pathNot:
          '^(shared/platform/kafka/|bench/hops/|test/harness/(delete-topics|list-groups)|test/faults/suite/strikes/kafka-topics.ts)',
      },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'no-dev-dependency-in-production',
      severity: 'error',
      from: { path: '^(services|shared|operator)/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
