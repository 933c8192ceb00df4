/** Configuration files: read once, checked as a whole, passed in. */
export { distinct, distinctNames } from './config/distinct.js';
export { ConfigError, type ConfigIssue, fieldPath, formatIssue, unplacedIssue } from './config/issue.js';
export { configFromText, loadConfig, openConfig, parseConfig, placeIssues } from './config/load.js';
export { nameOption } from './config/name.js';
export { pathOption } from './config/paths.js';
export { ruleOption, singleRowRuleOption } from './config/rule.js';
export { readSecret, type SecretRef, secret } from './config/secret.js';
export type { YamlFile } from './config/yaml.js';
