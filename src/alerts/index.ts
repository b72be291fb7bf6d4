export { type Alert, alertOf, testAlert } from './alert.ts';
export { type Alerts, type AlertsOptions, createAlerts } from './alerts.ts';
export { attempt, type WebhookTarget } from './webhook.ts';
