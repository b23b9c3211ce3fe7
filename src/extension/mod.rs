/*! What runs beside the pipelines: health checks. */

pub mod health_check;
