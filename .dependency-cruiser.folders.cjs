/** No cycle between folders, of what runs in production: tests may reach wherever they want. */
const { options } = require('./.dependency-cruiser.cjs');

module.exports = {
  forbidden: [
    { name: 'no-folder-cycle', scope: 'folder', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: { ...options, exclude: { path: '\\.test\\.ts$' } },
};
