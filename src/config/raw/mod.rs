/*!
The Collector's file format, as serde shapes: every key it has, and ours.

A key is a `Field` when it is honoured, `Ignored` when the Collector has it
and it changes nothing here, `Refused` when leaving it out of account would be
unsafe. Names, units and meaning are the Collector's unless a comment says
otherwise. Defaults are filled in by `check`.
*/

// Keys that are only accepted or refused are never read afterwards.
#![allow(dead_code)]

pub(super) mod exporters;
pub(super) mod extensions;
pub(super) mod processors;
pub(super) mod receivers;
pub(super) mod security;
pub(super) mod service;
