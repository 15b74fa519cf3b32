/** Preloaded by a process (`--import`) whose files have a limit: a write beyond it is an error, as on a full disk, and no signal. */
process.on('SIGXFSZ', () => undefined);
