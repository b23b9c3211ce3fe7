/*! `bearertokenauth`: tokens that receivers ask for and exporters present. */

pub(crate) mod config;
