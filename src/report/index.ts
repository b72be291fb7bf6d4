export { gather, type Seen } from './gather.ts';
export { type KnownTool, type Proposal, type ProposalOptions, policyYaml, propose } from './propose.ts';
