/*! `basicauth`: users and passwords, for receivers or for an exporter. */

pub(crate) mod config;
