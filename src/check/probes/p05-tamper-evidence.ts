import { fail, notTested, type Probe, pass } from '../probe.ts';

export const tamperEvidence: Probe = {
  id: 'P05',
  title: 'The audit log can prove that nobody changed it',
  severity: 'medium',
  mode: 'tokens',
  reference: 'OWASP MCP08; PCI DSS 10.3; NIST SP 800-53 AU-9',
  guideItems: [],
  why: 'After a break-in the log is the first thing that is corrected.',
  remedy: {
    words: 'Chain the records by hash, and keep signed checkpoints where the server cannot write.',
    portcullis: 'portcullis audit verify.',
  },
  async run({ audit }) {
    if (audit?.verify === undefined || audit.verify === null)
      return notTested('there is no command that verifies the log', '--audit-verify COMMAND');
    const { holds, said } = await audit.verify();
    return holds ? pass(said) : fail(`the command says no: ${said}`);
  },
};
