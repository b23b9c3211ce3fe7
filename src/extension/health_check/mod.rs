/*!
`health_check`: whether wayspan is up, over HTTP, in the Collector's words.

What is shown is [`crate::telemetry::Health`], which the service's threads tell.
*/

pub(crate) mod config;
mod settings;

pub use settings::HealthCheck;
