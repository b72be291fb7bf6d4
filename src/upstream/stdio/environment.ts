import type { Secret } from '../../base/index.ts';

const posix = ['PATH', 'HOME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'TERM', 'USER', 'LOGNAME', 'SHELL'];
const windows = [
  'APPDATA',
  'COMSPEC',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'PATH',
  'PATHEXT',
  'PROCESSOR_ARCHITECTURE',
  'PROGRAMDATA',
  'PROGRAMFILES',
  'PROGRAMFILES(X86)',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'TMP',
  'USERNAME',
  'USERPROFILE',
  'WINDIR',
];

/**
 * The environment of a child: what any program needs to run, and what the operator wrote for this one. The gateway's
 * own variables may hold its keys and are never inherited.
 */
export function childEnvironment(
  gateway: Readonly<Record<string, string | undefined>>,
  own: Readonly<Record<string, Secret>>,
  platform: NodeJS.Platform,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(gateway)) {
    if (value !== undefined && isInherited(name, value, platform)) environment[name] = value;
  }
  for (const [name, value] of Object.entries(own)) environment[name] = value.reveal();
  return environment;
}

function isInherited(name: string, value: string, platform: NodeJS.Platform): boolean {
  // bash exports functions as variables whose value begins with `()`: code, not a setting
  if (value.startsWith('()')) return false;
  if (platform === 'win32') return windows.includes(name.toUpperCase());
  return posix.includes(name) || /^LC_[A-Z]+$/.test(name);
}
