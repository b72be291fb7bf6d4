const live = new Set<number>();

/** Kills every group that is left when the gateway's own process ends, however it ends short of SIGKILL. */
function killAll(): void {
  for (const pid of live) signalGroup(pid, 'SIGKILL');
}

/** Remembers a child that leads its own process group, so that nothing of it outlives the gateway. */
export function trackGroup(pid: number): void {
  if (live.size === 0) process.on('exit', killAll);
  live.add(pid);
}

export function forgetGroup(pid: number): void {
  live.delete(pid);
  if (live.size === 0) process.off('exit', killAll);
}

/**
 * Sends a signal to a whole group; 0 only asks whether it has members.
 * @returns false where nobody is left
 */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    return false;
  }
}
