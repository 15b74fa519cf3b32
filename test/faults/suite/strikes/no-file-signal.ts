/** Preloaded (`--import`) by a process with a file size limit: a write beyond it becomes an error, as on a full disk, instead of a signal. */
process.on('SIGXFSZ', () => undefined);
