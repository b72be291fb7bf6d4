// `npm test` begins here: on an old Node every later failure would be silent or puzzling.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `Portcullis needs Node 22.19 or newer; this is ${process.version} (${process.execPath}).\n` +
      'The repository brings Node 24 for Linux and Windows: run `npm ci` without --omit=optional, then `npm test`.\n' +
      'On macOS install Node 24 (https://nodejs.org) and run the command again.\n',
  );
  process.exit(2);
}
