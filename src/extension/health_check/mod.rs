/*!
`health_check`: whether wayspan is up, over HTTP, in the Collector's words.

What is shown is [`crate::telemetry::Health`], which the service's threads tell.
*/
