export { PolicyError, type PolicyErrorCode } from './error.ts'
export { readDefaultPolicy } from './default-policy.ts'
export { explain, explainClientId, type Explanation, type ExplainedRule } from './explain.ts'
export {
  type Action,
  allowsClientId,
  authorize,
  type DenialReason,
  type Policy,
  policyRoles,
  type Subject,
  type Verdict,
} from './policy.ts'
export { lifecycleTopic, presenceTopic } from './reserved.ts'
export { parsePolicy } from './policy-document.ts'
export { defaultTopicLimits, type TopicLimits } from './topic.ts'
