/**
 * Does the work for each folder until it is to stop. One that fails does not keep the others from their turn; then throws
 * the first failure.
 */
export async function sweepFolders(
  folders: readonly string[],
  work: (folder: string) => Promise<void>,
  stopped: () => boolean,
): Promise<void> {
  const failures: unknown[] = [];
  for (const folder of folders) {
    if (stopped()) break;
    await work(folder).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
